/// What a `.dockerignore` leaves out of the build context. The last line that matches decides; `!` takes back.
package struct Dockerignore: Hashable, Sendable {
    private struct Rule: Hashable, Sendable {
        let pattern: PathPattern
        let isException: Bool
    }

    private let rules: [Rule]
    /// Whether some line takes back: then a directory that is left out may still hold something that isn't.
    package let hasExceptions: Bool
    /// The patterns of the lines that take back, without their `!`.
    let exceptions: [String]

    /// Broken patterns are passed over.
    package init(_ text: String = "") {
        var rules: [Rule] = []
        var exceptions: [String] = []
        let plain = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        for line in plain.split(whereSeparator: { $0 == "\n" || $0 == "\r\n" }) {
            guard line.first != "#" else { continue }
            var pattern = line.trimmed
            let isException = pattern.first == "!"
            if isException { pattern = pattern.dropFirst().trimmed }
            let clean = cleanPath(String(pattern))
            guard !clean.isEmpty, let compiled = PathPattern(clean, crossesDirectories: true) else {
                continue
            }
            rules.append(Rule(pattern: compiled, isException: isException))
            if isException { exceptions.append(clean) }
        }
        self.rules = rules
        self.exceptions = exceptions
        hasExceptions = rules.contains(where: \.isException)
    }

    /// Whether the path, relative to the context and without a leading slash, is left out.
    ///
    /// A pattern that matches a directory goes for everything in it.
    package func ignores(_ path: String) -> Bool {
        guard !rules.isEmpty else { return false }
        var candidates: [String] = []
        for (offset, byte) in path.utf8.enumerated() where byte == UInt8(ascii: "/") {
            candidates.append(String(decoding: path.utf8.prefix(offset), as: UTF8.self))
        }
        candidates.append(path)
        var ignored = false
        for rule in rules where rule.isException == ignored {
            if candidates.contains(where: rule.pattern.matches) { ignored.toggle() }
        }
        return ignored
    }
}

/// The path without `.`, `..`, doubled and surrounding slashes, as Go's `filepath.Clean` has it.
///
/// `..` stops at the top.
package func cleanPath(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") {
        switch part {
        case ".": continue
        case "..": _ = parts.popLast()
        default: parts.append(part)
        }
    }
    return parts.joined(separator: "/")
}

import EscaleCore

/// The parts of a host's apt configuration that its own distribution's packages come by.
///
/// Reads both formats, `deb822` and one line each. Third parties' repositories are left out: they are told by suites
/// and components that the distribution doesn't have.
package struct AptSources: Hashable, Sendable {
    /// In the `deb822` format, stanzas parted by empty lines. Comments are gone.
    package private(set) var stanzas: [[String]] = []
    private let suites: Set<String>

    private static let components: Set<String> = [
        "main", "contrib", "non-free", "non-free-firmware", "universe", "restricted", "multiverse",
    ]

    /// - Parameter codename: the distribution's, such as `bookworm`.
    package init(codename: String) {
        suites = [codename, codename + "-updates", codename + "-security", codename + "/updates"]
    }

    package var text: String { stanzas.map { $0.joined(separator: "\n") + "\n" }.joined(separator: "\n") }

    /// Takes a file of `sources.list.d` that ends in `.sources`.
    package mutating func add(deb822 text: String) {
        for block in text.split(separator: "\n", omittingEmptySubsequences: false).split(whereSeparator: {
            $0.allSatisfy(\.isWhitespace)
        }) {
            let lines = block.filter { !$0.hasPrefix("#") }.map(String.init)
            let fields = Self.fields(lines)
            guard fields["enabled"]?.first?.lowercased() != "no", fields["types"]?.contains("deb") == true,
                let suites = fields["suites"], isOwn(suites, fields["components"] ?? [])
            else { continue }
            stanzas.append(lines)
        }
    }

    /// Takes `sources.list` or a file of `sources.list.d` that ends in `.list`.
    package mutating func add(lines text: String) {
        for line in text.split(separator: "\n") {
            var words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
            guard words.first == "deb" else { continue }
            words.removeFirst()
            var options: [String] = []
            if words.first?.hasPrefix("[") == true, let end = words.firstIndex(where: { $0.hasSuffix("]") }) {
                options = words[...end].map { $0.filter { $0 != "[" && $0 != "]" } }.filter { !$0.isEmpty }
                words.removeSubrange(...end)
            }
            guard words.count >= 3, isOwn([words[1]], Array(words[2...])) else { continue }
            var stanza = [
                "Types: deb", "URIs: \(words[0])", "Suites: \(words[1])",
                "Components: " + words[2...].joined(separator: " "),
            ]
            for option in options {
                let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2, let name = Self.optionNames[parts[0]] else { continue }
                stanza.append("\(name): " + parts[1].split(separator: ",").joined(separator: " "))
            }
            stanzas.append(stanza)
        }
    }

    private static let optionNames = [
        "signed-by": "Signed-By", "arch": "Architectures", "trusted": "Trusted",
        "check-valid-until": "Check-Valid-Until",
    ]

    private func isOwn(_ suites: [String], _ components: [String]) -> Bool {
        !suites.isEmpty && self.suites.isSuperset(of: suites) && !components.isEmpty
            && Self.components.isSuperset(of: components)
    }

    /// Values split at blanks; lines that go on begin with a blank.
    private static func fields(_ lines: [String]) -> [String: [String]] {
        var fields: [String: [String]] = [:]
        var name = ""
        for line in lines {
            var value = line[...]
            if line.first?.isWhitespace != true {
                guard let colon = line.firstIndex(of: ":") else { continue }
                name = line[..<colon].lowercased()
                value = line[line.index(after: colon)...]
            }
            fields[name, default: []] += value.split(whereSeparator: \.isWhitespace).map(String.init)
        }
        return fields
    }
}

/// Whether an apt configuration file is only about how packages are fetched, so that containers need it as well.
///
/// One that names a user at a server is not: it would put a password into the image.
package func concernsOnlyAcquire(_ text: String) -> Bool {
    guard !text.contains("@") else { return false }
    var statements: [String] = []
    var statement = ""
    var depth = 0
    var isQuoted = false
    for line in text.split(separator: "\n") {
        let trimmed = line.drop(while: \.isWhitespace)
        if trimmed.hasPrefix("//") || trimmed.hasPrefix("#") { continue }
        for character in line {
            if character == "\"" { isQuoted.toggle() }
            if !isQuoted && character == "{" { depth += 1 }
            if !isQuoted && character == "}" { depth -= 1 }
            if !isQuoted && depth == 0 && (character == ";" || character == "}") {
                statements.append(statement)
                statement = ""
            } else {
                statement.append(character)
            }
        }
        statement.append(" ")
    }
    let names = statements.compactMap { $0.split(whereSeparator: { $0.isWhitespace || $0 == "{" }).first }
    return !names.isEmpty
        && names.allSatisfy { $0.lowercased() == "acquire" || $0.lowercased().hasPrefix("acquire::") }
}

package import EscaleCore

/// How much a document may hold, so that a hostile file costs neither time nor memory.
package struct YAMLLimits: Hashable, Sendable {
    /// Of the text as it stands in the file.
    package var textBytes = 4 << 20
    /// Of one scalar.
    package var scalarBytes = 1 << 20
    /// Nodes, with every alias expanded.
    package var nodes = 100_000
    /// Scalar text, with every alias expanded.
    package var expandedBytes = 16 << 20
    /// Collections inside one another.
    package var depth = 64

    package init() {}
}

/// Reads one YAML document into nodes that know where they were written.
package enum YAMLDocument {
    /// Reads the text; what is wrong with it is in the diagnostics, codes `yaml.…`.
    ///
    /// A root comes back wherever one could be made: also beside errors such as duplicate keys (the first one is
    /// kept), but not after a syntax error or when a limit is passed. An empty file has no root and no diagnostic.
    ///
    /// - Parameters:
    ///   - text: The document.
    ///   - file: How positions name the file.
    ///   - limits: How much the document may hold.
    package static func parse(text: String, file: String, limits: YAMLLimits = YAMLLimits())
        -> (root: YAMLNode?, diagnostics: [Diagnostic])
    {
        if let problem = oversize(text, file, limits) { return (nil, [problem]) }
        var composer = YAMLComposer(text: text, file: file, limits: limits)
        let root = composer.document()
        return (root, composer.diagnostics.sortedByPosition())
    }

    /// Reads every document of the text, as ``parse(text:file:limits:)`` does the one. Empty documents are left out;
    /// the limits count for all of them together.
    package static func parseAll(text: String, file: String, limits: YAMLLimits = YAMLLimits())
        -> (roots: [YAMLNode]?, diagnostics: [Diagnostic])
    {
        if let problem = oversize(text, file, limits) { return (nil, [problem]) }
        var composer = YAMLComposer(text: text, file: file, limits: limits)
        let roots = composer.documents()
        return (roots, composer.diagnostics.sortedByPosition())
    }

    private static func oversize(_ text: String, _ file: String, _ limits: YAMLLimits) -> Diagnostic? {
        guard text.utf8.count > limits.textBytes else { return nil }
        return Diagnostic(
            .error,
            .init("yaml.limit"),
            "\(file) is larger than \(limits.textBytes >> 20) MiB",
            at: SourcePosition(file: file, line: 1, column: 1),
            hint: "check that this is the right file; data belongs in files that are mounted, not in this one"
        )
    }

    /// Reads bytes as they come from a file; refuses what is not UTF-8 and says at which byte.
    package static func parse(bytes: [UInt8], file: String, limits: YAMLLimits = YAMLLimits())
        -> (root: YAMLNode?, diagnostics: [Diagnostic])
    {
        switch decode(bytes: bytes, file: file) {
        case .success(let text): parse(text: text, file: file, limits: limits)
        case .failure(let refusal): (nil, [refusal.diagnostic])
        }
    }

    /// Bytes as text, or the diagnostic (`yaml.encoding`) that says where they stop being UTF-8.
    package static func decode(bytes: [UInt8], file: String) -> Result<String, YAMLRefusal> {
        if let text = String(validating: bytes, as: UTF8.self) { return .success(text) }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            let problem = Diagnostic(
                .error,
                .init("yaml.encoding"),
                "\(file) is UTF-16; only UTF-8 is read",
                at: SourcePosition(file: file, line: 1, column: 1),
                hint: "convert it: iconv -f UTF-16 -t UTF-8 FILE"
            )
            return .failure(YAMLRefusal(diagnostic: problem))
        }
        var good = 0
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        decoding: while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): good += UTF8.width(scalar)
            case .emptyInput, .error: break decoding
            }
        }
        let byte = bytes.indices.contains(good) ? hexadecimal(bytes[good]) : "??"
        let lines = lines(of: String(decoding: bytes.prefix(good), as: UTF8.self))
        let problem = Diagnostic(
            .error,
            .init("yaml.encoding"),
            "\(file) is not UTF-8: byte 0x\(byte) at offset \(good) is not part of any character",
            at: SourcePosition(
                file: file,
                line: max(1, lines.count),
                column: (lines.last?.unicodeScalars.count ?? 0) + 1
            ),
            hint: "save the file as UTF-8, or convert it: iconv -f LATIN1 -t UTF-8 FILE"
        )
        return .failure(YAMLRefusal(diagnostic: problem))
    }

    /// The lines of a text counted as positions count them: broken by LF, CR LF, CR, and Unicode's line separators.
    package static func lines(of text: String) -> [Substring] {
        var lines: [Substring] = []
        let scalars = text.unicodeScalars
        var start = scalars.startIndex
        var index = start
        while index < scalars.endIndex {
            let scalar = scalars[index]
            let next = scalars.index(after: index)
            switch scalar {
            case "\n", "\u{85}", "\u{2028}", "\u{2029}":
                lines.append(text[start..<index])
                start = next
                index = next
            case "\r":
                lines.append(text[start..<index])
                let afterFeed =
                    next < scalars.endIndex && scalars[next] == "\n" ? scalars.index(after: next) : next
                start = afterFeed
                index = afterFeed
            default: index = next
            }
        }
        lines.append(text[start...])
        return lines
    }
}

/// Why bytes were not read at all.
package struct YAMLRefusal: Error, Hashable, Sendable {
    package let diagnostic: Diagnostic
}

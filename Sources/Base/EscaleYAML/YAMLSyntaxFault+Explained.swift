import EscaleCore

extension YAMLSyntaxFault {
    /// The fault in words for somebody who has never read the YAML specification.
    func explained(text: String, file: String) -> Diagnostic {
        let lines = YAMLDocument.lines(of: text)
        let mark = byteOffset.map { Self.mark(atByte: $0, of: text) } ?? mark
        if let tab = tabbedLine(lines, near: mark) {
            return Diagnostic(
                .error,
                .init("yaml.tab"),
                "a tab is used for indentation; YAML allows only spaces there",
                at: SourcePosition(file: file, line: tab.line + 1, column: tab.column + 1),
                hint: "replace the tab with spaces, usually two for each level"
            )
        }
        let said = words(lines, at: mark)
        let shown = said.atContext ? contextMark : mark
        let line = min(shown.line, max(0, lines.count - 1))
        return Diagnostic(
            .error,
            .init("yaml.syntax"),
            said.message,
            at: SourcePosition(
                file: file,
                line: line + 1,
                column: (line == shown.line ? shown.column : 0) + 1
            ),
            hint: said.hint
        )
    }

    private struct Words {
        var message: String
        var hint: String?
        /// Whether the place to show is where the construct began.
        var atContext = false
    }

    private func words(_ lines: [Substring], at mark: YAMLMark) -> Words {
        switch problem {
        case "mapping values are not allowed in this context":
            Words(
                message: "a `key: value` is not possible here",
                hint:
                    "indent this line like its neighbours, or quote the text if its ': ' belongs to the value"
            )
        case "did not find expected key", "did not find expected '-' indicator":
            Words(
                message: problem.hasSuffix("key")
                    ? "a key is expected here: this line does not fit the mapping it stands in"
                    : "a list item (`- `) is expected here: this line does not fit the list it stands in",
                hint: "the block began at line \(contextMark.line + 1), column \(contextMark.column + 1); "
                    + "lines of one block are indented alike, and a quote that closes early also ends up here"
            )
        case "could not find expected ':'":
            Words(
                message: "this line is no `key: value`",
                hint: "put a ':' and a space after the key",
                atContext: true
            )
        case "block sequence entries are not allowed in this context":
            Words(
                message: "a list item (`- `) is not possible here",
                hint: "begin the list on a line of its own below its key"
            )
        case "found unexpected end of stream":
            Words(
                message: "the quote that is opened here is never closed",
                hint: "close it, or remove it",
                atContext: true
            )
        case "did not find expected ',' or ']'":
            Words(
                message: "the list that begins with [ here is not closed",
                hint: "separate items with ',' and end with ]",
                atContext: true
            )
        case "did not find expected ',' or '}'":
            Words(
                message: "the mapping that begins with { here is not closed",
                hint: "separate pairs with ',' and end with }",
                atContext: true
            )
        case "found unknown escape character":
            Words(
                message: "this backslash begins no known escape",
                hint: "write \\\\ for a backslash, or use single quotes, where nothing is escaped"
            )
        case "found character that cannot start any token": startOfValue(lines, at: mark)
        case "control characters are not allowed":
            Words(
                message: "a control character is in the text",
                hint: "remove it; in a double-quoted value write it as \\xNN"
            )
        case "exceeded maximum nesting": Words(message: "values are nested too deep", hint: nil)
        default: Words(message: [context, problem].compactMap(\.self).joined(separator: ": "), hint: nil)
        }
    }

    private func startOfValue(_ lines: [Substring], at mark: YAMLMark) -> Words {
        let scalars = lines.indices.contains(mark.line) ? Array(lines[mark.line].unicodeScalars) : []
        let character = scalars.indices.contains(mark.column) ? String(scalars[mark.column]) : "?"
        return Words(
            message: "a value cannot begin with \(character)",
            hint: "put the value in quotes: \"\(character)…\""
        )
    }

    /// The tab in the leading white space of the line at fault or the one above it.
    private func tabbedLine(_ lines: [Substring], near mark: YAMLMark) -> YAMLMark? {
        for line in [mark.line, mark.line - 1] where lines.indices.contains(line) {
            let lead = lines[line].unicodeScalars.prefix { $0 == " " || $0 == "\t" }
            guard lead.count < lines[line].unicodeScalars.count else { continue }
            if let column = Array(lead).firstIndex(of: "\t") { return YAMLMark(line: line, column: column) }
        }
        return nil
    }

    private static func mark(atByte offset: Int, of text: String) -> YAMLMark {
        let lines = YAMLDocument.lines(of: String(decoding: text.utf8.prefix(offset), as: UTF8.self))
        return YAMLMark(line: lines.count - 1, column: lines.last?.unicodeScalars.count ?? 0)
    }
}

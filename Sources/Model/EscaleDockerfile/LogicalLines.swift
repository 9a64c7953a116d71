import EscaleCore

/// One instruction's text: lines joined where they continue, comments left out, heredocs taken off.
struct LogicalLine {
    var text: String
    var firstLine: Int
    var lastLine: Int
    /// The first column, counted from 1.
    var column: Int
    var heredocs: [Heredoc]
}

/// Parser directives and the lines below them.
struct LogicalLines {
    private(set) var escape: Character = "\\"
    private(set) var lines: [LogicalLine] = []
    private(set) var diagnostics: [Diagnostic] = []
    private let file: String
    private let source: [Substring]
    private var next = 0

    init(_ text: String, file: String) {
        self.file = file
        let plain = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        source = plain.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        readDirectives()
        next = 0
        while let line = readLine() { lines.append(line) }
    }

    /// `# name=value` at the very top; the first other line ends them, a comment too.
    private mutating func readDirectives() {
        var seen: Set<String> = []
        for (index, line) in source.enumerated() {
            let trimmed = line.trimmed
            guard trimmed.first == "#", let equals = trimmed.firstIndex(of: "=") else { return }
            let name = trimmed[trimmed.index(after: trimmed.startIndex)..<equals].trimmed.lowercased()
            let value = String(trimmed[trimmed.index(after: equals)...].trimmed)
            guard ["escape", "syntax", "check"].contains(name) else { return }
            let position = SourcePosition(file: file, line: index + 1, column: 1)
            if !seen.insert(name).inserted {
                diagnostics.append(
                    .error(
                        "dockerfile.directive",
                        "the parser directive \"\(name)\" is given twice",
                        position
                    )
                )
            }
            guard name == "escape" else { continue }
            if value == "\\" || value == "`" {
                escape = Character(value)
            } else {
                diagnostics.append(
                    .error("dockerfile.directive", "the escape character must be \\ or `", position)
                )
            }
        }
    }

    private mutating func readLine() -> LogicalLine? {
        while next < source.count, source[next].trimmed.isEmpty || source[next].trimmed.first == "#" {
            next += 1
        }
        guard next < source.count else { return nil }
        let first = next
        var text = ""
        var continues = true
        while continues, next < source.count {
            let line = source[next]
            next += 1
            // Within an instruction comments and empty lines are as if they weren't there.
            if next - 1 > first, line.trimmed.isEmpty || line.trimmed.first == "#" { continue }
            let (piece, goesOn) = withoutContinuation(line)
            text += piece
            continues = goesOn
        }
        var last = next
        while last > first + 1, source[last - 1].trimmed.isEmpty || source[last - 1].trimmed.first == "#" {
            last -= 1
        }
        let column = source[first].unicodeScalars.prefix { $0 == " " || $0 == "\t" }.count + 1
        var line = LogicalLine(
            text: String(Substring(text).trimmed),
            firstLine: first + 1,
            lastLine: last,
            column: column,
            heredocs: []
        )
        readHeredocs(of: &line)
        return line
    }

    /// A line ends in the escape character, not escaped itself, where it goes on in the next.
    private func withoutContinuation(_ line: Substring) -> (Substring, Bool) {
        var end = line
        while let last = end.last, last == " " || last == "\t" { end.removeLast() }
        guard end.last == escape, end.dropLast().last != escape else { return (line, false) }
        return (end.dropLast(), true)
    }

    private mutating func readHeredocs(of line: inout LogicalLine) {
        let keyword = line.text.prefix { !$0.isBlank }.uppercased()
        guard ["RUN", "COPY", "ADD"].contains(keyword), line.text.contains("<<") else { return }
        let rest = line.text.dropFirst(keyword.count)
        guard rest.trimmed.first != "[" else { return }
        for word in splitWords(rest, escape: escape) {
            guard var heredoc = Heredoc(announcedBy: word) else { continue }
            var closed = false
            while next < source.count, !closed {
                let content = source[next]
                next += 1
                closed = (heredoc.stripsTabs ? content.drop { $0 == "\t" } : content) == heredoc.name
                if !closed { heredoc.rawContent += content + "\n" }
            }
            line.lastLine = next
            if !closed {
                diagnostics.append(
                    .error(
                        "dockerfile.heredoc",
                        "the text that begins with \(word) has no line \"\(heredoc.name)\" to end it",
                        SourcePosition(file: file, line: line.firstLine, column: line.column)
                    )
                )
            }
            line.heredocs.append(heredoc)
        }
    }
}

extension Heredoc {
    /// `<<NAME`, `<<-NAME`, `<<"NAME"`, with the number of a descriptor before it or not.
    init?(announcedBy word: String) {
        var rest = word.drop { $0.isASCII && $0.isNumber }
        guard rest.hasPrefix("<<") else { return nil }
        rest = rest.dropFirst(2)
        let stripsTabs = rest.first == "-"
        if stripsTabs { rest = rest.dropFirst() }
        guard !rest.isEmpty, !rest.contains("<") else { return nil }
        let quote = rest.first
        let isQuoted = (quote == "\"" || quote == "'") && rest.count > 2 && rest.last == quote
        let name = isQuoted ? rest.dropFirst().dropLast() : rest
        guard name.allSatisfy({ $0.isLetter || $0.isNumber || "_-.".contains($0) }) else { return nil }
        self.init(name: String(name), word: word, expands: !isQuoted, stripsTabs: stripsTabs)
    }
}

extension Diagnostic {
    static func error(_ code: String, _ message: String, _ position: SourcePosition, hint: String? = nil)
        -> Self
    {
        Diagnostic(.error, EscaleError.Code(code), message, at: position, hint: hint)
    }

    static func warning(_ code: String, _ message: String, _ position: SourcePosition, hint: String? = nil)
        -> Self
    {
        Diagnostic(.warning, EscaleError.Code(code), message, at: position, hint: hint)
    }
}

extension Character {
    var isBlank: Bool { self == " " || self == "\t" }
}

extension StringProtocol where SubSequence == Substring {
    /// Without white space at either end.
    var trimmed: Substring {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest
    }
}

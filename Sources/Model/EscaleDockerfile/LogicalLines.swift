import EscaleCore

/// One instruction's text: lines joined where they continue, comments left out, heredocs taken off.
struct LogicalLine {
    /// A stretch of the text that is one line's in the file.
    private struct Piece {
        /// Where in the text it begins, in UTF-8 bytes.
        let start: Int
        let line: Int
        let column: Int
    }

    private(set) var text = ""
    let firstLine: Int
    var lastLine: Int
    /// The first column, counted from 1.
    let column: Int
    var heredocs: [Heredoc] = []
    /// The first empty line that it goes on over.
    var emptyLine: Int?
    private var pieces: [Piece] = []

    init(firstLine: Int, column: Int) {
        self.firstLine = firstLine
        self.lastLine = firstLine
        self.column = column
    }

    /// Joins a line of the file to the text, whose beginning has no blanks.
    mutating func append(_ content: Substring, line: Int) {
        let kept = text.isEmpty ? content.drop { $0.isWhitespace } : content
        guard !kept.isEmpty else { return }
        let before = content.unicodeScalars.count - kept.unicodeScalars.count
        pieces.append(Piece(start: text.utf8.count, line: line, column: before + 1))
        text += kept
    }

    mutating func trimEnd() { while text.last?.isWhitespace == true { text.removeLast() } }

    /// Where in the file a place of the text is.
    func position(of index: String.Index, file: String) -> SourcePosition {
        let offset = text.utf8.distance(from: text.startIndex, to: min(index, text.endIndex))
        guard let piece = pieces.last(where: { $0.start <= offset }) else {
            return SourcePosition(file: file, line: firstLine, column: column)
        }
        let start = text.utf8.index(text.startIndex, offsetBy: piece.start)
        let scalars = text.unicodeScalars[start..<min(index, text.endIndex)].count
        return SourcePosition(file: file, line: piece.line, column: piece.column + scalars)
    }

    /// The instruction's name, as written.
    var keyword: Substring { text.prefix { !$0.isWhitespace } }
}

/// Parser directives and the lines below them.
struct LogicalLines {
    let directives: ParserDirectives
    private(set) var lines: [LogicalLine] = []
    private(set) var diagnostics: [Diagnostic]
    /// The file's lines.
    let source: [Substring]
    private let file: String
    private var next = 0

    init(_ text: String, file: String) {
        self.file = file
        let plain = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        source = plain.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        directives = ParserDirectives(source, file: file)
        diagnostics = directives.diagnostics
        while let line = readLine() { lines.append(line) }
    }

    var escape: Character { directives.escape }

    private mutating func readLine() -> LogicalLine? {
        while next < source.count, source[next].trimmed.isEmpty || source[next].isComment { next += 1 }
        guard next < source.count else { return nil }
        let first = next
        let blanks = source[first].prefix { $0.isWhitespace }.unicodeScalars.count
        var line = LogicalLine(firstLine: first + 1, column: blanks + 1)
        var continues = true
        while continues, next < source.count {
            let content = source[next]
            next += 1
            // Within an instruction comments and empty lines are as if they weren't there.
            if next - 1 > first, content.isComment { continue }
            if next - 1 > first, content.trimmed.isEmpty {
                if next < source.count { line.emptyLine = line.emptyLine ?? next }
                continue
            }
            let (piece, goesOn) = withoutContinuation(content)
            line.append(piece, line: next)
            line.lastLine = next
            continues = goesOn
        }
        line.trimEnd()
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
        guard line.text.contains("<<") else { return }
        var keyword = line.keyword
        var rest = line.text[keyword.endIndex...]
        if keyword.uppercased() == "ONBUILD" {
            rest = rest.trimmed
            keyword = rest.prefix { !$0.isWhitespace }
            rest = rest[keyword.endIndex...]
        }
        guard ["RUN", "COPY", "ADD"].contains(keyword.uppercased()) else { return }
        let text = InstructionText(rest.trimmed, heredocs: [], escape: escape)
        guard text.rest.first != "[" else { return }
        for word in text.words {
            guard let heredoc = Heredoc(announcedBy: String(word)) else { continue }
            read(heredoc, announcedAt: word.startIndex, of: &line)
        }
    }

    private mutating func read(
        _ announced: Heredoc,
        announcedAt index: String.Index,
        of line: inout LogicalLine
    ) {
        var heredoc = announced
        while next < source.count {
            let content = source[next]
            next += 1
            line.lastLine = next
            if (heredoc.stripsTabs ? content.drop { $0 == "\t" } : content) == heredoc.name {
                line.heredocs.append(heredoc)
                return
            }
            heredoc.rawContent += content + "\n"
        }
        line.heredocs.append(heredoc)
        diagnostics.append(
            .error(
                "dockerfile.heredoc",
                "the text that begins with \(heredoc.word) has no line \"\(heredoc.name)\" to end it",
                line.position(of: index, file: file),
                hint: "its last line must be \(heredoc.name) and nothing else"
            )
        )
    }
}

extension Heredoc {
    /// `<<NAME`, `<<-NAME`, `<<"NAME"`, `<<\NAME`, with the number of a descriptor before it or not.
    init?(announcedBy word: String) {
        var rest = word.drop { $0.isASCII && $0.isNumber }
        guard rest.hasPrefix("<<") else { return nil }
        rest = rest.dropFirst(2)
        let stripsTabs = rest.first == "-"
        if stripsTabs { rest = rest.dropFirst() }
        let isQuoted = rest.contains { "\"'\\".contains($0) }
        let name = isQuoted ? rest.filter { !"\"'\\".contains($0) } : String(rest)
        guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || "_-.".contains($0) }) else {
            return nil
        }
        self.init(name: name, word: word, expands: !isQuoted, stripsTabs: stripsTabs)
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

extension StringProtocol where SubSequence == Substring {
    /// Without white space at either end.
    var trimmed: Substring {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest
    }

    var isComment: Bool { trimmed.first == "#" }
}

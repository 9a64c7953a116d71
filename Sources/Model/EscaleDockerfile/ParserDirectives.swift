import EscaleCore

/// What the lines `# name=value` at the very top say.
///
/// The first other line ends them, be it a comment or empty.
struct ParserDirectives {
    private(set) var escape: Character = "\\"
    private(set) var syntax: String?
    private(set) var checks = CheckDirective()
    private(set) var diagnostics: [Diagnostic] = []
    /// How many lines they are.
    private(set) var count = 0

    init(_ lines: [Substring], file: String) {
        var seen: Set<String> = []
        for line in lines {
            let trimmed = line.trimmed
            guard trimmed.first == "#", let equals = trimmed.firstIndex(of: "=") else { return }
            let name = trimmed.dropFirst().prefix(upTo: equals).trimmed.lowercased()
            let value = trimmed[trimmed.index(after: equals)...].trimmed
            guard ["escape", "syntax", "check"].contains(name), !value.isEmpty else { return }
            count += 1
            let place = Place(file: file, number: count, line: line)
            guard seen.insert(name).inserted else {
                report(
                    "the parser directive \"\(name)\" is given twice",
                    place.position(of: trimmed.startIndex)
                )
                continue
            }
            switch name {
            case "escape": setEscape(value, place)
            case "syntax": syntax = String(value)
            default: setChecks(value, place)
            }
        }
    }

    /// A line, for positions in it.
    private struct Place {
        let file: String
        let number: Int
        let line: Substring

        func position(of index: Substring.Index) -> SourcePosition {
            let before = line.unicodeScalars[line.startIndex..<index].count
            return SourcePosition(file: file, line: number, column: before + 1)
        }
    }

    private mutating func report(_ message: String, _ position: SourcePosition, hint: String? = nil) {
        diagnostics.append(.error("dockerfile.directive", message, position, hint: hint))
    }

    private mutating func setEscape(_ value: Substring, _ place: Place) {
        guard value == "\\" || value == "`" else {
            return report("the escape character must be \\ or `", place.position(of: value.startIndex))
        }
        escape = Character(String(value))
    }

    private mutating func setChecks(_ value: Substring, _ place: Place) {
        let (directive, problems) = CheckDirective.parse(value)
        checks = directive
        for problem in problems {
            let position = place.position(of: problem.place)
            diagnostics.append(
                problem.isError
                    ? .error("dockerfile.directive", problem.message, position, hint: problem.hint)
                    : .warning("dockerfile.directive", problem.message, position, hint: problem.hint)
            )
        }
    }
}

extension Bool {
    /// The words that Go's `strconv.ParseBool` takes; `nil` for any other.
    init?(goText text: some StringProtocol) {
        switch String(text) {
        case "1", "t", "T", "true", "TRUE", "True": self = true
        case "0", "f", "F", "false", "FALSE", "False": self = false
        default: return nil
        }
    }
}

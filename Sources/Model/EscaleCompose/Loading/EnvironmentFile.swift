import EscaleCore

/// An environment file (`.env`, `env_file`): `KEY=value` lines, `export `, comments, quotes that may span lines,
/// and variables inside unquoted and double-quoted values.
struct EnvironmentFile {
    /// A key without `=`, which takes its value from the surroundings, has `nil`.
    typealias Entry = (key: String, value: String?)

    private let file: String
    private let context: LoadContext
    /// Values that are known before the file: they win over the file's own inside values.
    private let outer: [String: String]
    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var line = 1
    private var lineStart = 0
    private var own: [String: String] = [:]

    private init(_ text: String, file: String, outer: [String: String], context: LoadContext) {
        scalars = Array(text.unicodeScalars)
        self.file = file
        self.outer = outer
        self.context = context
    }

    /// Reads the text; problems go to the context.
    static func parse(
        _ text: String,
        file: String,
        outer: [String: String],
        context: LoadContext
    ) -> [Entry] {
        var parser = EnvironmentFile(text, file: file, outer: outer, context: context)
        return parser.entries()
    }

    /// Reads the text with values as they are: no quotes, no variables, no comments behind values.
    static func parseRaw(_ text: String) -> [Entry] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let line = line.drop { $0 == " " || $0 == "\t" }
            guard !line.isEmpty, !line.hasPrefix("#") else { return nil }
            guard let cut = line.firstIndex(of: "=") else { return (String(line), nil) }
            return (String(line[..<cut]), String(line[line.index(after: cut)...]))
        }
    }

    private mutating func entries() -> [Entry] {
        var entries: [Entry] = []
        if peek() == "\u{FEFF}" { index += 1 }
        while true {
            skip { Self.isBlank($0) || Self.isBreak($0) }
            guard let first = peek() else { return entries }
            if first == "#" {
                skip { !Self.isBreak($0) }
            } else if let entry = entry() {
                if let value = entry.value { own[entry.key] = value }
                entries.append(entry)
            } else {
                skip { !Self.isBreak($0) }
            }
        }
    }

    private mutating func entry() -> Entry? {
        skipExport()
        let start = index
        skip { !Self.isBlank($0) && !Self.isBreak($0) && $0 != "=" && $0 != ":" }
        let key = string(start..<index)
        if let wrong = key.unicodeScalars.firstIndex(where: { !Self.isKeyScalar($0) }) {
            let offset = key.unicodeScalars.distance(from: key.unicodeScalars.startIndex, to: wrong)
            report("\"\(key.unicodeScalars[wrong])\" can't be part of a variable's name", at: start + offset)
            return nil
        }
        skip(while: Self.isBlank)
        guard let separator = peek(), !Self.isBreak(separator) else { return key.isEmpty ? nil : (key, nil) }
        guard separator == "=" || separator == ":" else {
            report("a '=' is missing after \"\(key)\"", at: index)
            return nil
        }
        guard !key.isEmpty else {
            report("a variable's name is missing before the '='", at: index)
            return nil
        }
        index += 1
        skip(while: Self.isBlank)
        switch peek() {
        case "\"", "'": return quoted().map { (key, $0) }
        case .some, nil: return (key, unquoted())
        }
    }

    private mutating func unquoted() -> String {
        let start = index
        skip { !Self.isBreak($0) }
        var end = index
        for place in start..<index
        where scalars[place] == "#" && (place == start || Self.isBlank(scalars[place - 1])) {
            end = place
            break
        }
        while end > start, Self.isBlank(scalars[end - 1]) { end -= 1 }
        return filled(string(start..<end), at: start)
    }

    private mutating func quoted() -> String? {
        let start = index
        let quote = scalars[start]
        let startPosition = position(start)
        var text = String.UnicodeScalarView()
        advance()
        while let scalar = peek(), scalar != quote {
            advance()
            guard scalar == "\\", let next = peek() else {
                text.append(scalar)
                continue
            }
            if quote == "'" {
                if next == "'" {
                    text.append(next)
                    advance()
                } else {
                    text.append(scalar)
                }
                continue
            }
            switch next {
            case "n": text.append("\n")
            case "r": text.append("\r")
            case "t": text.append("\t")
            case "\"", "\\": text.append(next)
            case "$": text.append(contentsOf: "$$".unicodeScalars)
            default: text.append(contentsOf: [scalar, next])
            }
            advance()
        }
        guard peek() != nil else {
            context.error(
                "compose.env-file.quote",
                "the quote that is opened here is never closed",
                at: startPosition,
                hint: "close it, or remove it"
            )
            return nil
        }
        index += 1
        skip(while: Self.isBlank)
        if let rest = peek(), !Self.isBreak(rest), rest != "#" {
            report("text follows the closing quote", at: index)
            return nil
        }
        skip { !Self.isBreak($0) }
        return quote == "'" ? String(text) : filled(String(text), at: start, exact: startPosition)
    }

    /// The value with its variables; `exact` is where it starts if it began on an earlier line.
    private func filled(_ text: String, at start: Int, exact: SourcePosition? = nil) -> String {
        let place = exact ?? position(start)
        guard text.unicodeScalars.contains("$") else { return text }
        let template: VariableTemplate
        do throws(VariableTemplate.Fault) {
            template = try VariableTemplate(text)
        } catch {
            context.error(
                "compose.variable.syntax",
                error.message,
                at: place,
                hint: "\(error.hint); in single quotes nothing is replaced"
            )
            return text
        }
        return template.filled(lookup: { outer[$0] ?? own[$0] }) { finding in
            switch finding {
            case .unset(let name, _):
                context.warning(
                    "compose.variable.unset",
                    "the variable \(name) is not set; it counts as empty",
                    at: place
                )
            case .required(let name, let message, _):
                context.error(
                    "compose.variable.required",
                    "the variable \(name) must be set" + (message.isEmpty ? "" : ": \(message)"),
                    at: place
                )
            case .tooLong:
                context.error("compose.variable.size", "the value is too long with its variables", at: place)
            }
        }
    }

    // MARK: Characters

    private func peek() -> Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private mutating func advance() {
        if index < scalars.count, endsLine(index) {
            line += 1
            lineStart = index + 1
        }
        index += 1
    }

    /// Whether a line ends there for who shows the file, see `YAMLDocument.lines(of:)`; an entry ends at `\n` only.
    private func endsLine(_ place: Int) -> Bool {
        switch scalars[place] {
        case "\n", "\u{85}", "\u{2028}", "\u{2029}": true
        case "\r": place + 1 >= scalars.count || scalars[place + 1] != "\n"
        default: false
        }
    }

    private mutating func skip(while condition: (Unicode.Scalar) -> Bool) {
        while let scalar = peek(), condition(scalar) { advance() }
    }

    private mutating func skipExport() {
        let word = Array("export".unicodeScalars)
        guard scalars[index...].starts(with: word), index + word.count < scalars.count,
            Self.isBlank(scalars[index + word.count])
        else { return }
        index += word.count
        skip(while: Self.isBlank)
    }

    private func string(_ range: Range<Int>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[range])
        return String(view)
    }

    private func position(_ place: Int) -> SourcePosition {
        SourcePosition(file: file, line: line, column: max(1, place - lineStart + 1))
    }

    private func report(_ message: String, at place: Int) {
        context.error(
            "compose.env-file.syntax",
            message,
            at: position(place),
            hint: "lines read KEY=value; comments begin with #"
        )
    }

    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "\t" || scalar == "\r"
    }
    private static func isBreak(_ scalar: Unicode.Scalar) -> Bool { scalar == "\n" }

    private static func isKeyScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", ".", "-", "[", "]": true
        default: false
        }
    }
}

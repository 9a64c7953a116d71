package import EscaleCore

/// Takes a Dockerfile word's quotes and escapes away and puts variables' values in, by Dockerfile's own rules.
///
/// Knows `$name`, `${name}` and in braces `:-word`, `:+word`, `:?word`, each also without the colon, `#pattern`,
/// `##pattern`, `%pattern`, `%%pattern`, `/pattern/text` and `//pattern/text`. An unknown variable is empty.
/// Single quotes keep everything as it is.
/// - Parameter value: a variable's value, `nil` where it isn't set.
/// - Throws: `dockerfile.expansion`, without a position.
package func expandWord(
    _ word: String,
    escape: Character = "\\",
    value: (String) -> String?
) throws(EscaleError) -> String {
    try withoutActuallyEscaping(value) { value throws(EscaleError) in
        var expansion = Expansion(word: word, escape: escape, value: value)
        return try expansion.run()
    }
}

/// Puts variables' values into a text, leaving its quotes alone: for the content of heredocs.
package func expandText(
    _ text: String,
    escape: Character = "\\",
    value: (String) -> String?
) throws(EscaleError) -> String {
    try withoutActuallyEscaping(value) { value throws(EscaleError) in
        var expansion = Expansion(word: text, escape: escape, value: value)
        expansion.keepsQuotes = true
        return try expansion.run()
    }
}

/// The names of the variables that a word refers to, each once, in order.
///
/// Of a broken word, those before the break.
package func variables(in word: String, escape: Character) -> [String] {
    var seen: Set<String> = []
    return variableReferences(in: word, escape: escape).map(\.name).filter { seen.insert($0).inserted }
}

/// A place where a word refers to a variable.
struct VariableReference: Hashable, Sendable {
    let name: String
    /// Whether the word says what happens where the variable isn't set: `${name:-word}` and the like.
    let mayBeUnset: Bool
}

/// - Parameter keepsQuotes: whether it is a text, in which quotes mean nothing.
func variableReferences(in word: String, escape: Character, keepsQuotes: Bool = false) -> [VariableReference]
{
    var expansion = Expansion(word: word, escape: escape, value: { _ in nil })
    expansion.keepsQuotes = keepsQuotes
    expansion.onlyLooks = true
    // What is wrong with the word is told where it is expanded.
    _ = try? expansion.run()
    return expansion.references
}

struct Expansion {
    private let word: String
    private var rest: Substring
    private let escape: Character
    private let value: (String) -> String?
    var keepsQuotes = false
    /// Whether it is only about the references, and no variable has to be set.
    var onlyLooks = false
    private(set) var references: [VariableReference] = []
    private var depth = 0

    private static let maximumDepth = 64

    init(word: String, escape: Character, value: @escaping (String) -> String?) {
        self.word = word
        self.escape = escape
        self.value = value
        rest = word[...]
    }

    private func failure(_ reason: String) -> EscaleError {
        EscaleError(.init("dockerfile.expansion"), "can't expand \(word): \(reason)")
    }

    mutating func run() throws(EscaleError) -> String { try run(until: "").text }

    /// What comes before one of the characters, and that character, which is taken too.
    private mutating func run(until ends: String) throws(EscaleError) -> (text: String, end: Character?) {
        var result = ""
        while let character = rest.first {
            if ends.contains(character) {
                rest.removeFirst()
                return (result, character)
            }
            switch character {
            case "'" where !keepsQuotes: result += try singleQuoted()
            case "\"" where !keepsQuotes: result += try doubleQuoted()
            case "$": result += try variable()
            case escape:
                rest.removeFirst()
                guard let next = rest.popFirst() else { break }
                if keepsQuotes && next != "$" && next != escape && !ends.contains(next) {
                    result.append(escape)
                }
                result.append(next)
            default:
                result.append(character)
                rest.removeFirst()
            }
        }
        if let end = ends.last { throw failure("the closing \(end) is missing") }
        return (result, nil)
    }

    private mutating func singleQuoted() throws(EscaleError) -> String {
        rest.removeFirst()
        guard let end = rest.firstIndex(of: "'") else { throw failure("a single quote is not closed") }
        let text = String(rest[..<end])
        rest = rest[rest.index(after: end)...]
        return text
    }

    private mutating func doubleQuoted() throws(EscaleError) -> String {
        rest.removeFirst()
        var result = ""
        while let character = rest.first {
            switch character {
            case "\"":
                rest.removeFirst()
                return result
            case "$": result += try variable()
            case escape:
                rest.removeFirst()
                guard let next = rest.popFirst() else { throw failure("a double quote is not closed") }
                if next != "\"" && next != "$" && next != escape { result.append(escape) }
                result.append(next)
            default:
                result.append(character)
                rest.removeFirst()
            }
        }
        throw failure("a double quote is not closed")
    }
}

// MARK: - Variables

extension Expansion {
    fileprivate mutating func variable() throws(EscaleError) -> String {
        rest.removeFirst()
        guard rest.first == "{" else {
            let name = name()
            if !name.isEmpty { refer(to: name) }
            return name.isEmpty ? "$" : value(name) ?? ""
        }
        rest.removeFirst()
        guard depth < Self.maximumDepth else { throw failure("the braces are nested too deeply") }
        depth += 1
        defer { depth -= 1 }
        return try braced()
    }

    private mutating func refer(to name: String, mayBeUnset: Bool = false) {
        references.append(VariableReference(name: name, mayBeUnset: mayBeUnset))
    }

    /// What follows `${`.
    private mutating func braced() throws(EscaleError) -> String {
        let name = name()
        guard !name.isEmpty else { throw failure("there is no variable's name between the braces") }
        let modifier = try modifier()
        refer(to: name, mayBeUnset: !["", "#", "##", "%", "%%", "/", "//"].contains(modifier))
        let known = value(name)
        switch modifier {
        case "": return known ?? ""
        case "#", "##":
            return try pattern(until: "}").0.removingPrefix(of: known ?? "", longest: modifier.count > 1)
        case "%", "%%":
            return try pattern(until: "}").0.removingSuffix(of: known ?? "", longest: modifier.count > 1)
        case "/", "//":
            let (pattern, end) = try pattern(until: "/}")
            let replacement = end == "/" ? try run(until: "}").text : ""
            return pattern.replacing(in: known ?? "", with: replacement, all: modifier.count > 1)
        default: return try alternative(to: known, name, modifier)
        }
    }

    /// `:-`, `#` and so on; empty for a closing brace.
    private mutating func modifier() throws(EscaleError) -> String {
        guard let first = rest.popFirst() else { throw failure("the closing } is missing") }
        switch first {
        case "}": return ""
        case "-", "+", "?": return String(first)
        case "#", "%", "/":
            guard rest.first == first else { return String(first) }
            rest.removeFirst()
            return String([first, first])
        case ":":
            guard let second = rest.popFirst() else { throw failure("the closing } is missing") }
            guard "-+?".contains(second) else { break }
            return String([first, second])
        default: break
        }
        throw failure("what follows the name must be }, :-, :+, :?, #, % or /")
    }

    private mutating func alternative(
        to known: String?,
        _ name: String,
        _ modifier: String
    ) throws(EscaleError) -> String {
        let alternative = try run(until: "}").text
        let isSet = modifier.first == ":" ? known.map { !$0.isEmpty } ?? false : known != nil
        switch modifier.last {
        case "-": return isSet ? known ?? "" : alternative
        case "+": return isSet ? alternative : ""
        default:
            guard isSet || onlyLooks else {
                throw failure("\(name): \(alternative.isEmpty ? "not set" : alternative)")
            }
            return known ?? ""
        }
    }

    /// The pattern before one of the characters, and that character, which is taken too.
    private mutating func pattern(until ends: String) throws(EscaleError) -> (ShellPattern, end: Character) {
        var pattern = ShellPattern()
        while let character = rest.first {
            if ends.contains(character) {
                rest.removeFirst()
                return (pattern, character)
            }
            switch character {
            case "'" where !keepsQuotes: pattern.append(literal: try singleQuoted())
            case "\"" where !keepsQuotes: pattern.append(literal: try doubleQuoted())
            // A variable's value is a pattern too.
            case "$": for character in try variable() { pattern.append(character) }
            case escape, "\\":
                rest.removeFirst()
                guard let next = rest.popFirst() else {
                    throw failure("nothing follows the last \(character)")
                }
                pattern.append(literal: String(next))
            default:
                rest.removeFirst()
                pattern.append(character)
            }
        }
        throw failure("the closing } is missing")
    }

    private mutating func name() -> String {
        guard let first = rest.first, first.isASCII else { return "" }
        let isWord = { (character: Character) in
            character.isASCII && (character.isLetter || character.isNumber || character == "_")
        }
        let name: Substring
        if first.isNumber {
            name = rest.prefix { $0.isASCII && $0.isNumber }
        } else if isWord(first) {
            name = rest.prefix(while: isWord)
        } else if "@*#".contains(first) {
            name = rest.prefix(1)
        } else {
            return ""
        }
        rest = rest.dropFirst(name.count)
        return String(name)
    }
}

package import EscaleCore

/// Takes a Dockerfile word's quotes and escapes away and puts variables' values in, by Dockerfile's own rules.
///
/// Knows `$name`, `${name}` and `${name:-word}`, `:+`, `:?`, each also without the colon. An unknown variable is
/// empty. Single quotes keep everything as it is.
/// - Parameter value: a variable's value, `nil` where it isn't set.
/// - Throws: `dockerfile.expansion`, without a position.
package func expandWord(
    _ word: String,
    escape: Character = "\\",
    value: (String) -> String?
) throws(EscaleError) -> String {
    try withoutActuallyEscaping(value) { value throws(EscaleError) in
        var expansion = Expansion(word: word, rest: word[...], escape: escape, value: value)
        return try expansion.run(until: nil)
    }
}

/// Puts variables' values into a text, leaving its quotes alone: for the content of heredocs.
package func expandText(
    _ text: String,
    escape: Character = "\\",
    value: (String) -> String?
) throws(EscaleError) -> String {
    try withoutActuallyEscaping(value) { value throws(EscaleError) in
        var expansion = Expansion(
            word: text,
            rest: text[...],
            escape: escape,
            value: value,
            keepsQuotes: true
        )
        return try expansion.run(until: nil)
    }
}

private struct Expansion {
    let word: String
    var rest: Substring
    let escape: Character
    let value: (String) -> String?
    var keepsQuotes = false

    func failure(_ reason: String) -> EscaleError {
        EscaleError(.init("dockerfile.expansion"), "can't expand \(word): \(reason)")
    }

    mutating func run(until end: Character?) throws(EscaleError) -> String {
        var result = ""
        while let character = rest.first {
            if character == end {
                rest.removeFirst()
                return result
            }
            switch character {
            case "'" where !keepsQuotes: result += try singleQuoted()
            case "\"" where !keepsQuotes: result += try doubleQuoted()
            case "$": result += try variable()
            case escape:
                rest.removeFirst()
                guard let next = rest.popFirst() else { break }
                if keepsQuotes && next != "$" && next != escape { result.append(escape) }
                result.append(next)
            default:
                result.append(character)
                rest.removeFirst()
            }
        }
        if let end { throw failure("the closing \(end) is missing") }
        return result
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

    private mutating func variable() throws(EscaleError) -> String {
        rest.removeFirst()
        guard rest.first == "{" else {
            let name = name()
            return name.isEmpty ? "$" : value(name) ?? ""
        }
        rest.removeFirst()
        let name = name()
        guard !name.isEmpty else { throw failure("there is no variable's name between the braces") }
        guard var modifier = rest.popFirst() else { throw failure("the closing } is missing") }
        if modifier == "}" { return value(name) ?? "" }
        let emptyCounts = modifier == ":"
        if emptyCounts {
            guard let next = rest.popFirst() else { throw failure("the closing } is missing") }
            modifier = next
        }
        guard "-+?".contains(modifier) else {
            throw failure(
                "the modifier \(emptyCounts ? ":" : "")\(modifier) is not supported; :-, :+ and :? are"
            )
        }
        let alternative = try run(until: "}")
        let known = value(name)
        let isSet = emptyCounts ? known.map { !$0.isEmpty } ?? false : known != nil
        switch modifier {
        case "-": return isSet ? known ?? "" : alternative
        case "+": return isSet ? alternative : ""
        default:
            guard isSet else { throw failure("\(name): \(alternative.isEmpty ? "not set" : alternative)") }
            return known ?? ""
        }
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

/// Splits at blanks outside of quotes. Words keep their quotes and escapes.
func splitWords(_ text: Substring, escape: Character) -> [Substring] {
    var words: [Substring] = []
    var start: Substring.Index?
    var quote: Character?
    var isEscaped = false
    for index in text.indices {
        let character = text[index]
        if isEscaped {
            isEscaped = false
        } else if character == escape, quote != "'" {
            isEscaped = true
        } else if let open = quote {
            if character == open { quote = nil }
        } else if character == "\"" || character == "'" {
            quote = character
        } else if character.isWhitespace {
            if let first = start { words.append(text[first..<index]) }
            start = nil
            continue
        }
        start = start ?? index
    }
    if let first = start { words.append(text[first...]) }
    return words
}

/// A JSON array of strings; `nil` for anything else.
func parseStringArray(_ text: Substring) -> [String]? {
    var parser = StringArrayParser(rest: text.unicodeScalars)
    return parser.parse()
}

private struct StringArrayParser {
    var rest: Substring.UnicodeScalarView

    mutating func parse() -> [String]? {
        guard take("[") else { return nil }
        var strings: [String] = []
        if !take("]") {
            repeat {
                guard let string = string() else { return nil }
                strings.append(string)
            } while take(",")
            guard take("]") else { return nil }
        }
        skipBlanks()
        return rest.isEmpty ? strings : nil
    }

    private mutating func skipBlanks() { rest = rest.drop { $0.properties.isWhitespace } }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard rest.first == scalar else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        var text = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"": return String(text)
            case "\\":
                guard let escaped = escaped() else { return nil }
                text.append(escaped)
            case _ where scalar.value < 0x20: return nil
            default: text.append(scalar)
            }
        }
        return nil
    }

    private mutating func escaped() -> Unicode.Scalar? {
        guard let scalar = rest.popFirst() else { return nil }
        switch scalar {
        case "\"", "\\", "/": return scalar
        case "b": return "\u{8}"
        case "f": return "\u{c}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u": return unicode()
        default: return nil
        }
    }

    private mutating func unicode() -> Unicode.Scalar? {
        guard let high = unit() else { return nil }
        guard (0xD800..<0xDC00).contains(high) else { return Unicode.Scalar(high) }
        guard rest.popFirst() == "\\", rest.popFirst() == "u", let low = unit(),
            (0xDC00..<0xE000).contains(low)
        else { return nil }
        return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
    }

    private mutating func unit() -> UInt32? {
        let digits = String(rest.prefix(4))
        rest = rest.dropFirst(4)
        return digits.count == 4 && digits.allSatisfy(\.isHexDigit) ? UInt32(digits, radix: 16) : nil
    }
}

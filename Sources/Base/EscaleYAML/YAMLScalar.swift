/// A scalar as it was written: its text after unescaping and folding, and its style.
package struct YAMLScalar: Hashable, Sendable {
    /// How a scalar is written. Only plain ones can be anything but a string.
    package enum Style: String, Hashable, Sendable { case plain, singleQuoted, doubleQuoted, literal, folded }

    /// What a scalar stands for.
    package enum Value: Hashable, Sendable {
        case null
        case bool(Bool)
        case int(Int64)
        case float(Double)
        case string(String)
    }

    package var text: String
    package var style: Style

    package init(_ text: String, style: Style) {
        self.text = text
        self.style = style
    }

    /// The value under the YAML 1.2 core schema: `yes`, `no`, `on`, `off` and `12:30` are strings.
    ///
    /// A number too large for 64 bits is a float. An explicit `!!str` makes any text a string, the other core tags
    /// make a quoted scalar resolve like a plain one; unknown tags change nothing here.
    package func resolved(tag: String? = nil) -> Value {
        switch tag {
        case "tag:yaml.org,2002:str", "!": .string(text)
        case "tag:yaml.org,2002:int", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:float",
            "tag:yaml.org,2002:null":
            Self.coreValue(of: text)
        default: style == .plain ? Self.coreValue(of: text) : .string(text)
        }
    }

    private static func coreValue(of text: String) -> Value {
        // Nearly all scalars are told to be strings by their first byte.
        guard let first = text.utf8.first else { return .null }
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            if let value = integer(text) { return .int(value) }
            if let value = float(text) { return .float(value) }
        case UInt8(ascii: "~"), UInt8(ascii: "n"), UInt8(ascii: "N"):
            if ["~", "null", "Null", "NULL"].contains(text) { return .null }
        case UInt8(ascii: "t"), UInt8(ascii: "T"):
            if ["true", "True", "TRUE"].contains(text) { return .bool(true) }
        case UInt8(ascii: "f"), UInt8(ascii: "F"):
            if ["false", "False", "FALSE"].contains(text) { return .bool(false) }
        default: break
        }
        return .string(text)
    }

    /// Decimal with a sign, `0o` octal and `0x` hexadecimal.
    private static func integer(_ text: String) -> Int64? {
        if text.hasPrefix("0o") { return digits(text.dropFirst(2), radix: 8) }
        if text.hasPrefix("0x") { return digits(text.dropFirst(2), radix: 16) }
        let unsigned = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
        guard !unsigned.isEmpty, unsigned.utf8.allSatisfy(isDigit) else { return nil }
        return Int64(text)
    }

    private static func digits(_ text: Substring, radix: Int) -> Int64? {
        guard let first = text.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "+") else {
            return nil
        }
        return Int64(text, radix: radix)
    }

    /// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, `.inf` and `.nan`.
    private static func float(_ text: String) -> Double? {
        switch text {
        case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .infinity
        case "-.inf", "-.Inf", "-.INF": return -.infinity
        case ".nan", ".NaN", ".NAN": return .nan
        default: break
        }
        var rest = Substring(text)
        func dropSign() { if rest.hasPrefix("-") || rest.hasPrefix("+") { rest = rest.dropFirst() } }
        func dropDigits() -> Int {
            let run = rest.utf8.prefix(while: isDigit).count
            rest = rest[rest.utf8.index(rest.startIndex, offsetBy: run)...]
            return run
        }
        dropSign()
        let whole = dropDigits()
        var fraction = 0
        if rest.hasPrefix(".") {
            rest = rest.dropFirst()
            fraction = dropDigits()
        }
        guard whole > 0 || fraction > 0 else { return nil }
        if rest.hasPrefix("e") || rest.hasPrefix("E") {
            rest = rest.dropFirst()
            dropSign()
            guard dropDigits() > 0 else { return nil }
        }
        return rest.isEmpty ? Double(text.hasSuffix(".") ? text + "0" : text) : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

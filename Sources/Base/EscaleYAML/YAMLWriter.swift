/// Writes a value tree as block YAML that every parser, also one of YAML 1.1, reads back as the same tree.
package enum YAMLWriter {
    /// The document, two spaces a level, ending with a line feed.
    package static func text(_ value: YAMLValue) -> String {
        var output = ""
        switch value {
        case .map(let members) where !members.isEmpty: write(members, indent: 0, to: &output)
        case .list(let items) where !items.isEmpty: write(items, indent: 0, to: &output)
        case .null, .bool, .int, .string, .list, .map:
            output += inline(value, indent: 0) + "\n"
        }
        return output
    }

    private static func write(_ members: [YAMLValue.Member], indent: Int, to output: inout String) {
        for member in members {
            output += String(repeating: " ", count: indent) + inlineString(member.key) + ":"
            writeValue(member.value, indent: indent + 2, to: &output)
        }
    }

    private static func writeValue(_ value: YAMLValue, indent: Int, to output: inout String) {
        switch value {
        case .map(let members) where !members.isEmpty:
            output += "\n"
            write(members, indent: indent, to: &output)
        case .list(let items) where !items.isEmpty:
            output += "\n"
            write(items, indent: indent, to: &output)
        case .null, .bool, .int, .string, .list, .map: output += " " + inline(value, indent: indent) + "\n"
        }
    }

    private static func write(_ items: [YAMLValue], indent: Int, to output: inout String) {
        let lead = String(repeating: " ", count: indent) + "- "
        for item in items {
            var block = ""
            switch item {
            case .map(let members) where !members.isEmpty: write(members, indent: indent + 2, to: &block)
            case .list(let inner) where !inner.isEmpty: write(inner, indent: indent + 2, to: &block)
            case .null, .bool, .int, .string, .list, .map:
                output += lead + inline(item, indent: indent + 2) + "\n"
                continue
            }
            // By scalars: a mark that combines belongs to the blank before it when characters are counted.
            output += lead
            output.unicodeScalars += block.unicodeScalars.dropFirst(indent + 2)
        }
    }

    private static func inline(_ value: YAMLValue, indent: Int) -> String {
        switch value {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .list: "[]"
        case .map: "{}"
        case .string(let text): literalBlock(text, indent: indent) ?? inlineString(text)
        }
    }

    /// `|` with its lines, for text of several lines that survives it.
    private static func literalBlock(_ text: String, indent: Int) -> String? {
        let scalars = text.unicodeScalars
        guard scalars.contains("\n"), let first = scalars.first, first != "\n", first != " ",
            scalars.allSatisfy({ $0 == "\n" || isPrintable($0) })
        else { return nil }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard !lines.contains(where: { $0.hasSuffix(" ") }) else { return nil }
        var chomping = "-"
        if lines.last?.isEmpty == true {
            lines.removeLast()
            chomping = lines.last?.isEmpty == true ? "+" : ""
        }
        let lead = "\n" + String(repeating: " ", count: max(2, indent))
        return "|" + chomping + lines.map { $0.isEmpty ? "\n" : lead + $0 }.joined()
    }

    private static func inlineString(_ text: String) -> String {
        isPlainSafe(text) ? text : quoted(text)
    }

    /// Whether the bare text reads back as this very string.
    static func isPlainSafe(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last else { return false }
        guard case .string = YAMLScalar(text, style: .plain).resolved(), !isOldKeyword(text) else {
            return false
        }
        let second = text.unicodeScalars.dropFirst().first
        let isOption = first == "-" && second.map { $0 != " " && $0 != "-" || text.count > 3 } == true
        let isPath = first == "." && text.unicodeScalars.contains("/")
        guard !"-?:,[]{}#&*!|>'\"%@`=<. ".unicodeScalars.contains(first) || isOption || isPath else {
            return false
        }
        guard last != " ", last != ":" else { return false }
        guard text.unicodeScalars.allSatisfy(isPrintable) else { return false }
        guard !hasSigns(text), !text.hasPrefix("---"), !text.hasPrefix("- ") else { return false }
        return !looksLikeOldNumber(text)
    }

    /// Whether there is a `: ` or a ` #`, whatever combines with the blank.
    private static func hasSigns(_ text: String) -> Bool {
        zip(text.utf8, text.utf8.dropFirst()).contains { left, right in
            left == UInt8(ascii: ":") && right == UInt8(ascii: " ") || left == UInt8(ascii: " ") && right == UInt8(ascii: "#")
        }
    }

    /// Words that YAML 1.1 reads as booleans.
    private static func isOldKeyword(_ text: String) -> Bool {
        ["y", "n", "yes", "no", "on", "off"].contains(text.lowercased())
    }

    /// Sexagesimals, dates, octals, `1_000` and whatever else begins like a number without any letter but `x`, `o`, `e`.
    private static func looksLikeOldNumber(_ text: String) -> Bool {
        let body = text.drop { $0 == "-" || $0 == "+" }
        guard let first = body.first, first.isASCII, first.isNumber else { return false }
        let isAddress =
            body.count(where: { $0 == "." }) > 1 && body.allSatisfy { $0.isASCII && $0.isNumber || $0 == "." }
        if isAddress { return false }
        return body.unicodeScalars.allSatisfy {
            "0123456789_:.-+eExXoOabcdefABCDEFTZ ".unicodeScalars.contains($0)
        }
    }

    /// Printable and without a role in line breaking; others are escaped.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7E, 0xA0...0x2027, 0x202A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD,
            0x10000...0x10FFFF:
            true
        default: false
        }
    }

    /// In double quotes, with escapes.
    static func quoted(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\t": output += "\\t"
            case "\r": output += "\\r"
            default:
                if isPrintable(scalar) {
                    output.unicodeScalars.append(scalar)
                } else {
                    let digits = String(scalar.value, radix: 16)
                    output += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
                }
            }
        }
        return output + "\""
    }
}

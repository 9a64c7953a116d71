/// Writes a value tree as block YAML that every parser, also one of YAML 1.1, reads back as the same tree.
package struct YAMLWriter {
    private var output: [UInt8] = []

    /// The document, two spaces a level, ending with a line feed.
    package static func text(_ value: YAMLValue) -> String {
        var writer = YAMLWriter()
        switch value {
        case .map(let members) where !members.isEmpty: writer.write(members, indent: 0)
        case .list(let items) where !items.isEmpty: writer.write(items, indent: 0)
        case .null, .bool, .int, .double, .string, .list, .map: writer.writeLine(value, indent: 0)
        }
        return String(decoding: writer.output, as: UTF8.self)
    }

    /// - Parameter isContinued: whether the first one stands on a line that has begun.
    private mutating func write(_ members: [YAMLValue.Member], indent: Int, isContinued: Bool = false) {
        for (index, member) in members.enumerated() {
            if index > 0 || !isContinued { writeBlanks(indent) }
            writeText(member.key)
            output.append(UInt8(ascii: ":"))
            writeValue(member.value, indent: indent + 2)
        }
    }

    private mutating func writeValue(_ value: YAMLValue, indent: Int) {
        switch value {
        case .map(let members) where !members.isEmpty:
            output.append(UInt8(ascii: "\n"))
            write(members, indent: indent)
        case .list(let items) where !items.isEmpty:
            output.append(UInt8(ascii: "\n"))
            write(items, indent: indent)
        case .null, .bool, .int, .double, .string, .list, .map:
            output.append(UInt8(ascii: " "))
            writeLine(value, indent: indent)
        }
    }

    private mutating func write(_ items: [YAMLValue], indent: Int, isContinued: Bool = false) {
        for (index, item) in items.enumerated() {
            if index > 0 || !isContinued { writeBlanks(indent) }
            output += [UInt8(ascii: "-"), UInt8(ascii: " ")]
            switch item {
            case .map(let members) where !members.isEmpty: write(members, indent: indent + 2, isContinued: true)
            case .list(let inner) where !inner.isEmpty: write(inner, indent: indent + 2, isContinued: true)
            case .null, .bool, .int, .double, .string, .list, .map: writeLine(item, indent: indent + 2)
            }
        }
    }

    /// A value that begins on the line, and the line's end.
    private mutating func writeLine(_ value: YAMLValue, indent: Int) {
        switch value {
        case .null: output += "null".utf8
        case .bool(let value): output += (value ? "true" : "false").utf8
        case .int(let value): output += String(value).utf8
        case .double(let value): output += String(value).utf8
        case .list: output += "[]".utf8
        case .map: output += "{}".utf8
        case .string(let text): if !writeBlock(text, indent: indent) { writeText(text) }
        }
        output.append(UInt8(ascii: "\n"))
    }

    private mutating func writeText(_ text: String) {
        output += (YAMLPlainText.isSafe(text) ? text : Self.quoted(text)).utf8
    }

    private mutating func writeBlanks(_ count: Int) {
        for _ in 0..<count { output.append(UInt8(ascii: " ")) }
    }

    /// Writes `|` with its lines where the text has several and survives it; else nothing.
    private mutating func writeBlock(_ text: String, indent: Int) -> Bool {
        let feed = UInt8(ascii: "\n"), blank = UInt8(ascii: " ")
        guard text.utf8.contains(feed), let first = text.utf8.first, first != feed, first != blank,
            text.unicodeScalars.allSatisfy({ $0 == "\n" || YAMLPlainText.isPrintable($0) })
        else { return false }
        var lines = text.utf8.split(separator: feed, omittingEmptySubsequences: false)
        guard !lines.contains(where: { $0.last == blank }) else { return false }
        output.append(UInt8(ascii: "|"))
        if lines.last?.isEmpty == true {
            lines.removeLast()
            if lines.last?.isEmpty == true { output.append(UInt8(ascii: "+")) }
        } else {
            output.append(UInt8(ascii: "-"))
        }
        for line in lines {
            output.append(feed)
            if !line.isEmpty { writeBlanks(max(2, indent)) }
            output += line
        }
        return true
    }

    /// In double quotes, with escapes.
    private static func quoted(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\t": output += "\\t"
            case "\r": output += "\\r"
            default:
                if YAMLPlainText.isPrintable(scalar) {
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

/// Writes a value tree as JSON, members in the order of the tree.
package enum JSONWriter {
    /// The document, two spaces a level, ending with a line feed.
    package static func text(_ value: YAMLValue) -> String {
        var output = ""
        write(value, indent: 0, to: &output)
        return output + "\n"
    }

    private static func write(_ value: YAMLValue, indent: Int, to output: inout String) {
        switch value {
        case .null: output += "null"
        case .bool(let value): output += value ? "true" : "false"
        case .int(let value): output += String(value)
        case .double(let value): output += String(value)
        case .string(let text): output += quoted(text)
        case .list(let items):
            enclose("[", "]", items, indent: indent, to: &output) { item, output in
                write(item, indent: indent + 2, to: &output)
            }
        case .map(let members):
            enclose("{", "}", members, indent: indent, to: &output) { member, output in
                output += quoted(member.key) + ": "
                write(member.value, indent: indent + 2, to: &output)
            }
        }
    }

    private static func enclose<Element>(
        _ open: String,
        _ close: String,
        _ elements: [Element],
        indent: Int,
        to output: inout String,
        _ body: (Element, inout String) -> Void
    ) {
        output += open
        for (index, element) in elements.enumerated() {
            output += (index == 0 ? "\n" : ",\n") + String(repeating: " ", count: indent + 2)
            body(element, &output)
        }
        if !elements.isEmpty { output += "\n" + String(repeating: " ", count: indent) }
        output += close
    }

    private static func quoted(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\t": output += "\\t"
            case "\r": output += "\\r"
            // Beyond JSON's own rule: the line separators, so that YAML and JavaScript read it too.
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}", "\u{FEFF}":
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output + "\""
    }
}

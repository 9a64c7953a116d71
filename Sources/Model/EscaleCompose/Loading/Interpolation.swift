import EscaleCore
import EscaleYAML

/// The phase that fills in the variables of every scalar value. Keys stay as they are.
struct Interpolation {
    let context: LoadContext
    private let lines: [Substring]

    init(context: LoadContext, text: String) {
        self.context = context
        lines = YAMLDocument.lines(of: text)
    }

    func apply(to node: YAMLNode) -> YAMLNode {
        var node = node
        switch node.content {
        case .sequence(let items): node.content = .sequence(items.map(apply))
        case .mapping(var mapping):
            for index in mapping.pairs.indices {
                mapping.pairs[index].value = apply(to: mapping.pairs[index].value)
            }
            node.content = .mapping(mapping)
        case .scalar(let scalar):
            guard scalar.text.unicodeScalars.contains("$") else { break }
            // What came out of a variable is text: an empty one is no null.
            node.content = .scalar(YAMLScalar(filled(scalar, of: node), style: .doubleQuoted))
        }
        return node
    }

    private func filled(_ scalar: YAMLScalar, of node: YAMLNode) -> String {
        let template: VariableTemplate
        do throws(VariableTemplate.Fault) {
            template = try VariableTemplate(scalar.text)
        } catch {
            context.error(
                "compose.variable.syntax",
                error.message,
                at: place(error.offset, scalar, node),
                hint: error.hint
            )
            context.spoil(node.position)
            return scalar.text
        }
        return template.filled(lookup: { context.variables[$0] }) { finding in
            switch finding {
            case .unset(let name, let offset):
                context.warning(
                    "compose.variable.unset",
                    "the variable \(name) is not set; it counts as empty",
                    at: place(offset, scalar, node),
                    hint: "set it in the shell or in .env, or give a default: ${\(name):-value}"
                )
            case .required(let name, let message, let offset):
                context.error(
                    "compose.variable.required",
                    "the variable \(name) must be set" + (message.isEmpty ? "" : ": \(message)"),
                    at: place(offset, scalar, node),
                    hint: "set it in the shell or in .env"
                )
                context.spoil(node.position)
            case .tooLong:
                context.error(
                    "compose.variable.size",
                    "the value is too long with its variables",
                    at: node.position
                )
                context.spoil(node.position)
            }
        }
    }

    /// Where the offset in the scalar's text stands in the file: exactly if the source shows it, else the scalar.
    private func place(_ offset: Int, _ scalar: YAMLScalar, _ node: YAMLNode) -> SourcePosition {
        let text = Array(scalar.text.unicodeScalars)
        let position = node.position
        let before = text.prefix(offset)
        let breaks = before.count { $0 == "\n" }
        switch scalar.style {
        case .plain, .singleQuoted, .doubleQuoted:
            let start = position.column - 1 + (scalar.style == .plain ? 0 : 1)
            guard breaks == 0, lines.indices.contains(position.line - 1),
                lines[position.line - 1].unicodeScalars.dropFirst(start).starts(with: text.prefix(offset + 1))
            else { return position }
            return SourcePosition(file: position.file, line: position.line, column: start + offset + 1)
        case .literal:
            let index = position.line + breaks
            let lineStart = before.lastIndex(of: "\n").map { $0 + 1 } ?? 0
            let line = text[lineStart...].prefix { $0 != "\n" }
            guard lines.indices.contains(index) else { return position }
            let indent = lines[index].unicodeScalars.count - line.count
            guard indent >= 0, lines[index].unicodeScalars.dropFirst(indent).elementsEqual(line) else {
                return position
            }
            return SourcePosition(
                file: position.file,
                line: index + 1,
                column: indent + offset - lineStart + 1
            )
        case .folded: return position
        }
    }
}

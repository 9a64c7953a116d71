import EscaleCore
import EscaleYAML

/// The phase that fills in the variables of every scalar value of one file. Keys stay as they are.
struct Interpolation {
    let context: LoadContext
    private let file: SourceFile
    private let variables: [String: String]
    private let replaces: Bool

    /// - Parameter replaces: Whether values change; else variables are only noted.
    init(context: LoadContext, file: SourceFile, replaces: Bool) {
        self.context = context
        self.file = file
        self.replaces = replaces
        variables = file.scope?.variables ?? context.variables
    }

    /// The node with its variables filled in. What has none stays the same node, shared where it was.
    func apply(to node: YAMLNode) -> YAMLNode { changed(node) ?? node }

    private func changed(_ node: YAMLNode) -> YAMLNode? {
        switch node.content {
        case .sequence(let items):
            var changes: [YAMLNode]?
            for (index, item) in items.enumerated() {
                guard let change = changed(item) else { continue }
                changes = changes ?? items
                changes?[index] = change
            }
            return changes.map { YAMLNode(.sequence($0), at: node.position, tag: node.tag) }
        case .mapping(let mapping):
            var changes: [YAMLMapping.Pair]?
            for (index, pair) in mapping.pairs.enumerated() {
                guard let change = changed(pair.value) else { continue }
                changes = changes ?? mapping.pairs
                changes?[index].value = change
            }
            return changes.map { YAMLNode(.mapping(YAMLMapping($0)), at: node.position, tag: node.tag) }
        case .scalar(let scalar):
            guard scalar.text.utf8.contains(UInt8(ascii: "$")), !context.isExhausted else { return nil }
            let text = filled(scalar, of: node)
            guard replaces, context.spend(.text(text.utf8.count), at: node.position) else { return nil }
            context.history.note(template: scalar.text, at: node.position)
            // What came out of a variable is text: an empty one is no null.
            let tag = MergeTags.isReset(node) || MergeTags.isOverride(node) ? node.tag : nil
            return YAMLNode(.scalar(YAMLScalar(text, style: .doubleQuoted)), at: node.position, tag: tag)
        }
    }

    private func filled(_ scalar: YAMLScalar, of node: YAMLNode) -> String {
        let template: VariableTemplate
        do throws(VariableTemplate.Fault) {
            template = try VariableTemplate(scalar.text)
        } catch {
            guard replaces else { return scalar.text }
            context.error(
                "compose.variable.syntax",
                error.message,
                at: place(error.offset, scalar, node),
                hint: error.hint
            )
            context.spoil(node.position)
            return scalar.text
        }
        for use in template.uses { context.note(use) }
        guard replaces else { return scalar.text }
        return template.filled(lookup: { variables[$0] }) { finding in
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
        let lines = context.lines(of: file.shown)
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

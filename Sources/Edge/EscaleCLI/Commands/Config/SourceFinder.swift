import EscaleCompose
import EscaleCore
import EscaleYAML

/// Finds out where the values of a tree come from.
struct SourceFinder {
    let loaded: LoadResult
    let shell: [String: String]

    /// What happened to a value and to all in it, the newest first for each.
    ///
    /// - Parameter member: another path that the history may know the value by.
    func sources(below node: YAMLNode, at path: String, member: String? = nil) -> [Explanation.Source] {
        var sources = own(node, path, member)
        switch node.content {
        case .scalar: break
        case .sequence(let items):
            for (index, item) in items.enumerated() { sources += self.sources(below: item, at: "\(path)[\(index)]") }
        case .mapping(let mapping):
            for pair in mapping.pairs { sources += self.sources(below: pair.value, at: "\(path).\(pair.key)") }
        }
        return sources
    }

    /// Of a collection that took nothing's place there is nothing to say: its parts have their places.
    private func own(_ node: YAMLNode, _ path: String, _ member: String?) -> [Explanation.Source] {
        let known = loaded.history[path]
        let entries = known.isEmpty ? member.map { loaded.history[$0] } ?? [] : known
        if entries.isEmpty { return node.scalar == nil ? [] : [source(path, .file, node.position, nil)] }
        if node.scalar == nil, entries.count == 1 { return [] }
        return entries.indices.reversed().compactMap { index in
            let entry = entries[index]
            // What a variable made of a text comes right after the text, which tells more.
            if entry.reason == .variable, index > 0, entries[index - 1].position == entry.position { return nil }
            return source(path, entry.reason, entry.position, entry.value)
        }
    }

    func source(
        _ path: String,
        _ reason: LoadHistory.Reason,
        _ position: SourcePosition?,
        _ value: String?
    ) -> Explanation.Source {
        let variables = value.map(variables(in:)) ?? []
        return Explanation.Source(
            path: path,
            reason: reason.rawValue,
            value: value,
            variables: variables.isEmpty ? nil : variables,
            file: position?.file,
            line: position?.line,
            column: position?.column
        )
    }

    private func variables(in text: String) -> [Explanation.Variable] {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return [] }
        return loaded.variables.filter { uses(text, $0.name) }.map { use in
            let value = loaded.environment[use.name]
            return .init(name: use.name, value: value, origin: value == nil ? .unset : shell[use.name] == nil ? .file : .shell)
        }
    }

    /// Whether `$NAME` or `${NAME` stands in the text.
    private func uses(_ text: String, _ name: String) -> Bool {
        text.ranges(of: name).contains { range in
            let before = text[..<range.lowerBound]
            let after = text[range.upperBound...].first
            let isWhole = after.map { !$0.isLetter && !$0.isNumber && $0 != "_" } ?? true
            return isWhole && (before.hasSuffix("$") || before.hasSuffix("${"))
        }
    }
}

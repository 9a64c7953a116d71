import EscaleCore
import EscaleYAML

/// Brings attributes that have several forms into the one that can be merged.
enum ListForms {
    /// `KEY=value` items as a mapping; an item without `=` has an empty value. `nil` for what is neither.
    static func keyValues(_ node: YAMLNode, path: String, in context: LoadContext) -> YAMLNode? {
        if node.mapping != nil { return node }
        guard let items = node.sequence else { return nil }
        var pairs: [YAMLMapping.Pair] = []
        var places: [String: Int] = [:]
        for item in items where !MergeTags.isReset(item) {
            guard let text = item.scalar?.text else { return nil }
            let cut = text.firstIndex(of: "=")
            let key = String(text[..<(cut ?? text.endIndex)])
            let value = cut.map { YAMLScalar(String(text[text.index(after: $0)...]), style: .doubleQuoted) }
            let new = pair(key, value ?? YAMLScalar("", style: .plain), at: item.position)
            if let place = places[key] {
                context.warnOfTwo(key, in: path, at: item.position)
                pairs[place] = new
            } else {
                places[key] = pairs.count
                pairs.append(new)
            }
        }
        return YAMLNode(.mapping(YAMLMapping(pairs)), at: node.position)
    }

    /// A list of keys as a mapping of what a bare key means.
    static func keys(_ node: YAMLNode, isDependency: Bool) -> YAMLNode? {
        if node.mapping != nil { return node }
        guard let items = node.sequence else { return nil }
        var pairs: [YAMLMapping.Pair] = []
        for item in items where !MergeTags.isReset(item) {
            guard let key = item.scalar?.text else { return nil }
            guard isDependency else {
                pairs.append(pair(key, YAMLScalar("", style: .plain), at: item.position))
                continue
            }
            let condition = YAMLMapping([
                pair("condition", YAMLScalar("service_started", style: .plain), at: item.position),
                pair("required", YAMLScalar("true", style: .plain), at: item.position),
            ])
            pairs.append(
                .init(
                    key: key,
                    keyPosition: item.position,
                    value: YAMLNode(.mapping(condition), at: item.position)
                )
            )
        }
        return YAMLNode(.mapping(YAMLMapping(pairs)), at: node.position)
    }

    /// A directory as `{context: …}`.
    static func build(_ node: YAMLNode) -> YAMLNode? {
        if node.mapping != nil { return node }
        guard let scalar = node.scalar else { return nil }
        return YAMLNode(
            .mapping(YAMLMapping([pair("context", scalar, at: node.position)])),
            at: node.position
        )
    }

    /// One value as a list of one.
    static func list(_ node: YAMLNode) -> YAMLNode {
        node.sequence == nil ? YAMLNode(.sequence([node]), at: node.position) : node
    }

    /// `HOST: address` as `HOST=address` items, one for each address.
    static func hosts(_ node: YAMLNode) -> YAMLNode {
        guard let mapping = node.mapping else {
            guard let items = node.sequence else { return node }
            return YAMLNode(.sequence(items.map(host)), at: node.position)
        }
        let items = mapping.pairs.flatMap { pair in
            (pair.value.sequence ?? [pair.value]).map { address in
                text("\(pair.key)=\(address.scalar?.text ?? "")", at: address.position)
            }
        }
        return YAMLNode(.sequence(items), at: node.position)
    }

    /// `HOST:address`, the older form, as `HOST=address`.
    private static func host(_ item: YAMLNode) -> YAMLNode {
        guard let written = item.scalar?.text, !written.contains("="), let cut = written.firstIndex(of: ":")
        else {
            return item
        }
        return text("\(written[..<cut])=\(written[written.index(after: cut)...])", at: item.position)
    }

    private static func text(_ text: String, at position: SourcePosition) -> YAMLNode {
        YAMLNode(.scalar(YAMLScalar(text, style: .doubleQuoted)), at: position)
    }

    private static func pair(_ key: String, _ scalar: YAMLScalar, at position: SourcePosition)
        -> YAMLMapping.Pair
    {
        .init(key: key, keyPosition: position, value: YAMLNode(.scalar(scalar), at: position))
    }
}

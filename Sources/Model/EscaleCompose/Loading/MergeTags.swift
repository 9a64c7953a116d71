import EscaleYAML

/// The tags that direct merging: `!reset` takes a value away, `!override` puts one in the place of another.
enum MergeTags {
    static func isReset(_ node: YAMLNode) -> Bool { node.tag == "!reset" }
    static func isOverride(_ node: YAMLNode) -> Bool { node.tag == "!override" }

    /// The tree without its tags and without what is reset; `nil` where all of it is. Equal subtrees stay shared.
    static func settled(_ node: YAMLNode) -> YAMLNode? {
        if isReset(node) { return nil }
        let tag = isOverride(node) ? nil : node.tag
        switch node.content {
        case .scalar: return tag == node.tag ? node : YAMLNode(node.content, at: node.position)
        case .sequence(let items):
            guard tag != node.tag || items.contains(where: isTagged) else { return node }
            return YAMLNode(.sequence(items.compactMap(settled)), at: node.position, tag: tag)
        case .mapping(let mapping):
            guard tag != node.tag || mapping.pairs.contains(where: { isTagged($0.value) }) else {
                return node
            }
            let pairs = mapping.pairs.compactMap { pair in
                settled(pair.value).map {
                    YAMLMapping.Pair(key: pair.key, keyPosition: pair.keyPosition, value: $0)
                }
            }
            return YAMLNode(.mapping(YAMLMapping(pairs)), at: node.position, tag: tag)
        }
    }

    /// Whether the node or one inside it has such a tag.
    static func isTagged(_ node: YAMLNode) -> Bool {
        if isReset(node) || isOverride(node) { return true }
        switch node.content {
        case .scalar: return false
        case .sequence(let items): return items.contains(where: isTagged)
        case .mapping(let mapping): return mapping.pairs.contains { isTagged($0.value) }
        }
    }
}

import EscaleYAML

extension YAMLNode {
    /// The mapping without a key; any other node as it is.
    func removing(_ key: String) -> YAMLNode {
        guard let mapping, mapping[key] != nil else { return self }
        return YAMLNode(.mapping(YAMLMapping(mapping.pairs.filter { $0.key != key })), at: position, tag: tag)
    }

    /// The mapping with a key's value replaced, where it has the key; any other node as it is.
    func replacing(_ key: String, _ change: (YAMLNode) -> YAMLNode) -> YAMLNode {
        guard let mapping, mapping[key] != nil else { return self }
        let pairs = mapping.pairs.map { pair in
            pair.key == key
                ? YAMLMapping.Pair(key: key, keyPosition: pair.keyPosition, value: change(pair.value)) : pair
        }
        return YAMLNode(.mapping(YAMLMapping(pairs)), at: position, tag: tag)
    }

    /// The mapping with every value changed.
    func replacingValues(_ change: (YAMLMapping.Pair) -> YAMLNode) -> YAMLNode {
        guard let mapping else { return self }
        let pairs = mapping.pairs.map {
            YAMLMapping.Pair(key: $0.key, keyPosition: $0.keyPosition, value: change($0))
        }
        return YAMLNode(.mapping(YAMLMapping(pairs)), at: position, tag: tag)
    }

    /// The mapping with a pair at its end.
    func appending(_ pair: YAMLMapping.Pair) -> YAMLNode {
        YAMLNode(.mapping(YAMLMapping((mapping?.pairs ?? []) + [pair])), at: position, tag: tag)
    }

    /// Whether the other node holds the same, wherever and in whichever order of keys it is written.
    func means(_ other: YAMLNode) -> Bool {
        switch (content, other.content) {
        case (.scalar, .scalar): return resolved == other.resolved
        case (.sequence(let left), .sequence(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { $0.means($1) }
        case (.mapping(let left), .mapping(let right)):
            guard left.pairs.count == right.pairs.count else { return false }
            let values = Dictionary(
                right.pairs.map { ($0.key, $0.value) },
                uniquingKeysWith: { first, _ in first }
            )
            return left.pairs.allSatisfy { pair in values[pair.key].map(pair.value.means) ?? false }
        default: return false
        }
    }
}

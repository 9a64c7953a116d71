package import EscaleCore

/// One value of a YAML document with the place it was written at.
///
/// Aliases are resolved: the aliased content appears where the alias stood and keeps the positions of its anchor.
/// Subtrees are shared, so a copy costs nothing.
package struct YAMLNode: Hashable, Sendable {
    /// What a node holds.
    package enum Content: Hashable, Sendable {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        case mapping(YAMLMapping)
    }

    package var content: Content
    package let position: SourcePosition
    /// An explicit tag in its long form (`tag:yaml.org,2002:str` for `!!str`), or as written (`!reset`).
    package let tag: String?
    /// How much the node holds with all aliases expanded; the limits are counted in it.
    package let weight: YAMLWeight

    /// A node that no document holds: made of others, or made up.
    package init(_ content: Content, at position: SourcePosition, tag: String? = nil) {
        self.init(content, at: position, tag: tag, weight: YAMLWeight(of: content))
    }

    init(_ content: Content, at position: SourcePosition, tag: String?, weight: YAMLWeight) {
        self.content = content
        self.position = position
        self.tag = tag
        self.weight = weight
    }
}

/// A size with all aliases expanded.
package struct YAMLWeight: Hashable, Sendable {
    /// Scalars and collections; keys count too.
    package var nodes: Int
    /// Of scalars' text.
    package var bytes: Int

    init(nodes: Int, bytes: Int) {
        self.nodes = nodes
        self.bytes = bytes
    }

    /// That of a node with the content, from what its children say of themselves.
    init(of content: YAMLNode.Content) {
        self.init(nodes: 1, bytes: 0)
        switch content {
        case .scalar(let scalar): bytes = scalar.text.utf8.count
        case .sequence(let items): for item in items { add(item.weight) }
        case .mapping(let mapping):
            for pair in mapping.pairs {
                add(pair.value.weight)
                nodes += 1
                bytes += pair.key.utf8.count
            }
        }
    }

    private mutating func add(_ other: Self) {
        nodes += other.nodes
        bytes += other.bytes
    }

    static func - (left: Self, right: Self) -> Self {
        Self(nodes: left.nodes - right.nodes, bytes: left.bytes - right.bytes)
    }
}

/// A mapping with its keys in the order of the file; merged keys (`<<`) come after the explicit ones.
package struct YAMLMapping: Hashable, Sendable {
    /// A key and its value. Keys are always scalars.
    package struct Pair: Hashable, Sendable {
        package let key: String
        package let keyPosition: SourcePosition
        package var value: YAMLNode

        package init(key: String, keyPosition: SourcePosition, value: YAMLNode) {
            self.key = key
            self.keyPosition = keyPosition
            self.value = value
        }
    }

    package var pairs: [Pair]

    package init(_ pairs: [Pair]) { self.pairs = pairs }

    package subscript(_ key: String) -> YAMLNode? { pairs.first { $0.key == key }?.value }
}

extension YAMLNode {
    /// The scalar, `nil` for a sequence or a mapping.
    package var scalar: YAMLScalar? {
        if case .scalar(let scalar) = content { scalar } else { nil }
    }

    /// The items, `nil` for anything but a sequence.
    package var sequence: [YAMLNode]? {
        if case .sequence(let items) = content { items } else { nil }
    }

    /// The mapping, `nil` for anything else.
    package var mapping: YAMLMapping? {
        if case .mapping(let mapping) = content { mapping } else { nil }
    }

    /// What a scalar stands for under the YAML 1.2 core schema and its tag; `nil` for collections.
    package var resolved: YAMLScalar.Value? { scalar?.resolved(tag: tag) }

    /// Whether this is the scalar `null` in one of its spellings, or nothing at all.
    package var isNull: Bool { resolved == .null }

    /// What kind of value it is, as a message says it: "a list", "the number 5".
    package var spokenKind: String {
        switch content {
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .scalar(let scalar):
            switch scalar.resolved(tag: tag) {
            case .null: "empty"
            case .bool(let value): "the boolean \(value)"
            case .int, .float: "the number \(scalar.text)"
            case .string(let text): "the text \"\(text.count > 40 ? text.prefix(40) + "…" : text[...])\""
            }
        }
    }
}

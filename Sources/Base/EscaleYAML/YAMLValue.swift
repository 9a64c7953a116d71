/// A value tree to be written: mappings keep the order they were built in.
package indirect enum YAMLValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    /// Finite and no whole number, which would read back as an `int`.
    case double(Double)
    case string(String)
    case list([YAMLValue])
    case map([Member])

    /// A key and its value.
    package struct Member: Hashable, Sendable {
        package let key: String
        package let value: YAMLValue

        package init(_ key: String, _ value: YAMLValue) {
            self.key = key
            self.value = value
        }
    }
}

extension YAMLValue {
    /// What a node stands for. A float that is whole or not finite becomes text in its spelling.
    package init(_ node: YAMLNode) {
        switch node.content {
        case .sequence(let items): self = .list(items.map(YAMLValue.init))
        case .mapping(let mapping): self = .map(mapping.pairs.map { Member($0.key, YAMLValue($0.value)) })
        case .scalar(let scalar):
            switch scalar.resolved(tag: node.tag) {
            case .null: self = .null
            case .bool(let value): self = .bool(value)
            case .int(let value): self = .int(value)
            case .float(let value):
                self = value.isFinite && value != value.rounded() ? .double(value) : .string(scalar.text)
            case .string(let text): self = .string(text)
            }
        }
    }
}

/// Trees written down in code.
extension YAMLValue {
    /// A mapping of these members in this order, without those that are `nil`.
    package static func object(_ members: KeyValuePairs<String, YAMLValue?>) -> YAMLValue {
        .map(members.compactMap { key, value in value.map { Member(key, $0) } })
    }

    /// The same; `nil` where nothing is left.
    package static func filledObject(_ members: KeyValuePairs<String, YAMLValue?>) -> YAMLValue? {
        object(members).unlessEmpty
    }

    /// A mapping of texts, by name; `nil` for none.
    package static func texts(_ pairs: [String: String]) -> YAMLValue? {
        YAMLValue.map(pairs.sorted { $0.key < $1.key }.map { Member($0.key, .string($0.value)) }).unlessEmpty
    }

    /// A list of texts, an empty one too.
    package static func strings(_ texts: [String]) -> YAMLValue { .list(texts.map { .string($0) }) }

    package static func number(_ number: Int) -> YAMLValue { .int(Int64(number)) }

    /// `nil` for an empty list or mapping.
    package var unlessEmpty: YAMLValue? {
        switch self {
        case .list(let items) where items.isEmpty: nil
        case .map(let members) where members.isEmpty: nil
        case .null, .bool, .int, .double, .string, .list, .map: self
        }
    }
}

extension YAMLValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral {
    package init(stringLiteral text: String) { self = .string(text) }
    package init(booleanLiteral flag: Bool) { self = .bool(flag) }
    package init(integerLiteral number: Int64) { self = .int(number) }
}

/// Looking into trees; what isn't there, or is of another kind, is `nil` or empty.
extension YAMLValue {
    package subscript(_ key: String) -> YAMLValue? {
        guard case .map(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// The value at the end of these keys.
    package func value(at keys: String...) -> YAMLValue? {
        keys.reduce(self as YAMLValue?) { value, key in value?[key] }
    }

    package var stringValue: String? {
        if case .string(let text) = self { text } else { nil }
    }

    package var intValue: Int64? {
        if case .int(let number) = self { number } else { nil }
    }

    package var boolValue: Bool? {
        if case .bool(let flag) = self { flag } else { nil }
    }

    /// Of a list.
    package var items: [YAMLValue] {
        if case .list(let items) = self { items } else { [] }
    }

    /// Of a mapping.
    package var members: [Member] {
        if case .map(let members) = self { members } else { [] }
    }
}

/// Looking into trees; what isn't there, or is of another kind, is `nil` or empty.
extension YAMLValue {
    /// A member of a mapping. Setting one of anything else makes a mapping of it; `nil` takes it away.
    package subscript(_ key: String) -> YAMLValue? {
        get { members.first { $0.key == key }?.value }
        set {
            var members = members
            let index = members.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): members[index] = Member(key, value)
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(key, value))
            case (nil, nil): break
            }
            self = .map(members)
        }
    }

    /// The value at the end of these keys.
    package func value(at keys: String...) -> YAMLValue? {
        keys.reduce(self as YAMLValue?) { value, key in value?[key] }
    }

    /// The same with every mapping in the order of its keys: equal for equal trees, however they were written.
    package var sorted: YAMLValue {
        switch self {
        case .map(let members): .map(members.map { Member($0.key, $0.value.sorted) }.sorted { $0.key < $1.key })
        case .list(let items): .list(items.map(\.sorted))
        case .null, .bool, .int, .double, .string: self
        }
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

import EscaleYAML

/// A path such as `services.web.ports[0]` followed into a tree as far as it goes.
struct KeyPath {
    /// The part that was found, as diagnostics write it.
    private(set) var path = ""
    private(set) var node: YAMLNode
    /// How many levels that is.
    private(set) var depth = 0
    /// What the tree doesn't have.
    private(set) var rest: Substring
    /// For an item `KEY=value` of a list the path that it has as a member of a map.
    private(set) var memberPath: String?
    /// For such an item, what follows the equals sign.
    private var text: String?

    /// The value found.
    var value: YAMLValue { text.map { .string($0) } ?? YAMLValue(node) }

    init(_ key: String, in tree: YAMLNode) {
        node = tree
        rest = key[...]
        while !rest.isEmpty, step() {}
    }

    /// Goes one level down; `false` where there is no such way.
    private mutating func step() -> Bool {
        switch node.content {
        case .scalar: return false
        case .mapping(let mapping):
            // Keys may have dots in them: the longest one is meant.
            let fitting = mapping.pairs.filter { rest.isKey($0.key) }
            guard let pair = fitting.max(by: { $0.key.count < $1.key.count }) else { return false }
            enter(pair.value, path.isEmpty ? pair.key : "\(path).\(pair.key)", rest.dropFirst(pair.key.count))
            return true
        case .sequence(let items):
            let digits = rest.drop { $0 == "[" }.prefix { $0.isASCII && $0.isNumber }
            if let index = Int(digits), items.indices.contains(index) {
                enter(items[index], "\(path)[\(index)]", rest.drop { $0 == "[" }.dropFirst(digits.count).drop { $0 == "]" })
                return true
            }
            let index = items.firstIndex { item in
                item.scalar.map { $0.text == rest || $0.text.hasPrefix(rest + "=") } == true
            }
            guard let index, let scalar = items[index].scalar else { return false }
            memberPath = "\(path).\(rest)"
            text = String(scalar.text.dropFirst(rest.count + 1))
            enter(items[index], "\(path)[\(index)]", "")
            return true
        }
    }

    private mutating func enter(_ next: YAMLNode, _ nextPath: String, _ after: Substring) {
        (node, path, depth) = (next, nextPath, depth + 1)
        rest = after.hasPrefix(".") ? after.dropFirst() : after
    }
}

extension Substring {
    /// Whether a path begins with the key as a whole.
    fileprivate func isKey(_ key: String) -> Bool {
        guard hasPrefix(key) else { return false }
        let after = dropFirst(key.count)
        return after.isEmpty || after.hasPrefix(".") || after.hasPrefix("[")
    }
}

extension YAMLValue {
    /// What stands at a path in a tree of values; `nil` where there is nothing.
    func value(at rest: Substring) -> YAMLValue? {
        if rest.isEmpty { return self }
        switch self {
        case .map(let members):
            let member = members.filter { rest.isKey($0.key) }.max { $0.key.count < $1.key.count }
            return member.flatMap { $0.value.value(at: rest.dropFirst($0.key.count).drop { $0 == "." }) }
        case .list(let items):
            let digits = rest.drop { $0 == "[" }.prefix { $0.isASCII && $0.isNumber }
            guard let index = Int(digits), items.indices.contains(index) else { return nil }
            let after = rest.drop { $0 == "[" }.dropFirst(digits.count).drop { $0 == "]" }
            return items[index].value(at: after.drop { $0 == "." })
        case .null, .bool, .int, .double, .string: return nil
        }
    }
}

import EscaleCore
import EscaleYAML

/// Lists of texts, options and labels.
extension Field {
    /// The items as texts that are not empty; one that is given twice counts once, with a warning.
    func filledTexts(hint: String) -> [String] {
        var seen: Set<String> = []
        return (items(hint: hint) ?? []).compactMap { item in
            guard let text = item.filledText(hint: hint) else { return nil }
            guard seen.insert(text).inserted else {
                item.warning(
                    "compose.twice",
                    "\(path) names \"\(text)\" twice",
                    hint: "remove one of the two"
                )
                return nil
            }
            return text
        }
    }

    /// The same for what may be one text instead of a list.
    func oneOrMoreTexts(hint: String) -> [String] {
        isScalar && !isNull ? filledText(hint: hint).map { [$0] } ?? [] : filledTexts(hint: hint)
    }

    /// `KEY: value` pairs or a list of `KEY=value`, where a missing value is an empty one.
    func pairs(example: String) -> [String: String] {
        let pairs = keyValues(example: example) ?? []
        return Dictionary(pairs.map { ($0.key, $0.value ?? "") }, uniquingKeysWith: { first, _ in first })
    }

    func labels() -> [String: String] { pairs(example: "labels look like com.example.team: web") }

    /// A mapping of names to texts or numbers.
    func options(example: String) -> [String: String] {
        var options: [String: String] = [:]
        for member in members(hint: example) ?? [] {
            switch member.value.node.resolved {
            case .string, .int, .float, .bool: options[member.key] = member.value.node.scalar?.text
            case .null: options[member.key] = ""
            case nil: member.value.mismatch("text or a number", hint: example)
            }
        }
        return options
    }
}

extension Section {
    func text(_ name: String, hint: String? = nil) -> String? { self[name]?.filledText(hint: hint) }

    /// `true`, or `nil` for `false` and nothing.
    func flag(_ name: String) -> Bool? { self[name]?.boolean() == true ? true : nil }
}

/// `nil` for a value that says no more than the one of nothing.
func filled<Value: Equatable>(_ value: Value, unlike empty: Value) -> Value? { value == empty ? nil : value }

extension Collection {
    /// `nil` for an empty one.
    var filled: Self? { isEmpty ? nil : self }
}

import EscaleCore
import EscaleYAML

/// Merges one tree over another by ``MergeRule``: several files, and a service over the one that it extends.
///
/// The result keeps `!reset` and `!override`, since it may be merged over a further tree; ``MergeTags`` takes them out
/// in the end.
struct TreeMerge {
    let context: LoadContext

    /// - Parameters:
    ///   - later: What counts where both say something.
    ///   - path: Where the values stand, such as `services.web`; empty for a whole file.
    func merge(_ earlier: YAMLNode, _ later: YAMLNode, _ rule: MergeRule, at path: String) -> YAMLNode {
        if MergeTags.isReset(later) {
            context.history.note(replaced: earlier, at: path)
            context.history.note(.init(reason: .reset, position: later.position, value: nil), at: path)
            return later
        }
        if MergeTags.isReset(earlier) { return later }
        if MergeTags.isOverride(later) { return replace(earlier, later, at: path) }
        if case .replace = rule.kind { return replace(earlier, later, at: path) }
        if later.isNull { return keep(earlier, insteadOf: later, at: path) }
        if earlier.isNull { return later }
        switch rule.kind {
        case .usual, .replace: return usual(earlier, later, rule, at: path)
        case .replaceUnlessMappings:
            let areMappings = earlier.mapping != nil && later.mapping != nil
            return areMappings ? usual(earlier, later, rule, at: path) : replace(earlier, later, at: path)
        case .keyValues:
            return pairs(earlier, later, rule, at: path) { ListForms.keyValues($0, path: path, in: context) }
        case .keys(let isDependency):
            return pairs(earlier, later, rule, at: path) { ListForms.keys($0, isDependency: isDependency) }
        case .build: return pairs(earlier, later, rule, at: path, ListForms.build)
        case .hosts: return hosts(earlier, later, at: path)
        case .texts:
            return usual(ListForms.list(earlier), ListForms.list(later), rule, at: path)
        case .logging:
            let drivers = [earlier, later].compactMap { $0.mapping?["driver"]?.scalar?.text }
            let areEqual = drivers.count < 2 || drivers[0] == drivers[1]
            return areEqual ? usual(earlier, later, rule, at: path) : replace(earlier, later, at: path)
        case .subnets: return subnets(earlier, later, rule, at: path)
        }
    }

    private func replace(_ earlier: YAMLNode, _ later: YAMLNode, at path: String) -> YAMLNode {
        context.history.note(replaced: earlier, at: path)
        return later
    }

    /// An empty value says nothing. Where it stands for a whole attribute, more is likely to be meant.
    private func keep(_ earlier: YAMLNode, insteadOf later: YAMLNode, at path: String) -> YAMLNode {
        let isAttribute = path.hasPrefix("services.") && path.count(where: { $0 == "." }) == 2
        if isAttribute, !earlier.isNull {
            context.warning(
                "compose.merge.empty",
                "\(path) is empty here, so what \(earlier.position) says stays",
                at: later.position,
                hint: "to take it away, write `!reset null`"
            )
        }
        return earlier
    }

    private func usual(_ earlier: YAMLNode, _ later: YAMLNode, _ rule: MergeRule, at path: String) -> YAMLNode
    {
        switch (earlier.content, later.content) {
        case (.mapping(let first), .mapping(let second)):
            return YAMLNode(
                .mapping(merge(first, second, rule, at: path)),
                at: earlier.position,
                tag: earlier.tag
            )
        case (.sequence(let first), .sequence(let second)):
            let items = ListMerge(context: context, path: path).merge(first, second, unique: rule.identity)
            return YAMLNode(
                .sequence(spent(items, at: later.position)),
                at: earlier.position,
                tag: earlier.tag
            )
        case (.scalar, _): return replace(earlier, later, at: path)
        case (.mapping, _), (.sequence, _):
            context.error(
                "compose.merge.type",
                "\(path) is \(later.spokenKind) here, but \(earlier.spokenKind) at \(earlier.position); they can't be merged",
                at: later.position,
                hint: "write both alike, or put `!override` before this one so that it replaces the other"
            )
            context.spoil(later.position)
            return later
        }
    }

    private func merge(
        _ earlier: YAMLMapping,
        _ later: YAMLMapping,
        _ rule: MergeRule,
        at path: String
    ) -> YAMLMapping {
        var pairs = earlier.pairs
        let places = Dictionary(
            pairs.enumerated().map { ($0.element.key, $0.offset) },
            uniquingKeysWith: { first, _ in first }
        )
        for pair in later.pairs {
            guard let place = places[pair.key] else {
                pairs.append(pair)
                continue
            }
            let inner = path.isEmpty ? pair.key : "\(path).\(pair.key)"
            let value = merge(pairs[place].value, pair.value, rule.child(pair.key), at: inner)
            let isLater = value.position == pair.value.position
            pairs[place] = .init(
                key: pair.key,
                keyPosition: isLater ? pair.keyPosition : pairs[place].keyPosition,
                value: value
            )
        }
        return YAMLMapping(spent(pairs, at: later.pairs.first?.keyPosition))
    }

    /// What was made, counted; nothing once too much was.
    private func spent<Element>(_ elements: [Element], at position: SourcePosition?) -> [Element] {
        context.spend(.mergedNodes(elements.count), at: position) ? elements : []
    }

    // MARK: Forms

    /// Merges what is a mapping in its long form; what can't be brought into that is told where it is read.
    private func pairs(
        _ earlier: YAMLNode,
        _ later: YAMLNode,
        _ rule: MergeRule,
        at path: String,
        _ long: (YAMLNode) -> YAMLNode?
    ) -> YAMLNode {
        guard let first = long(earlier) else { return later }
        guard let second = long(later) else { return usual(earlier, later, rule, at: path) }
        return usual(first, second, keyed(rule), at: path)
    }

    /// The rule for the values: a later one replaces the earlier one where they are no mappings themselves.
    private func keyed(_ rule: MergeRule) -> MergeRule {
        if case .keyValues = rule.kind { return Self.lastValue }
        return rule
    }

    private static let lastValue = MergeRule(any: MergeRule(.replace))

    private func hosts(_ earlier: YAMLNode, _ later: YAMLNode, at path: String) -> YAMLNode {
        let first = ListForms.hosts(earlier)
        let known = Set((first.sequence ?? []).compactMap { $0.scalar?.text })
        guard let items = first.sequence, let more = ListForms.hosts(later).sequence else {
            return usual(earlier, later, .usual, at: path)
        }
        let added = more.filter { $0.scalar.map { !known.contains($0.text) } ?? true }
        return YAMLNode(.sequence(spent(items + added, at: later.position)), at: earlier.position)
    }

    private func subnets(_ earlier: YAMLNode, _ later: YAMLNode, _ rule: MergeRule, at path: String)
        -> YAMLNode
    {
        guard let first = earlier.sequence, let second = later.sequence else {
            return usual(earlier, later, rule, at: path)
        }
        func subnet(_ item: YAMLNode) -> String? { item.mapping?["subnet"]?.scalar?.text }
        let items = second.enumerated().map { index, item in
            first.first { subnet($0) == subnet(item) && $0.mapping != nil }
                .map { merge($0, item, .usual, at: "\(path)[\(index)]") } ?? item
        }
        context.history.note(replaced: earlier, at: path)
        return YAMLNode(.sequence(spent(items, at: later.position)), at: later.position)
    }
}

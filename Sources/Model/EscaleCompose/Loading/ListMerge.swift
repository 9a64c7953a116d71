import EscaleYAML

/// Merges lists: later items are appended, or take the place of those that are the same by ``ItemIdentity``.
struct ListMerge {
    let context: LoadContext
    let path: String

    func merge(_ earlier: [YAMLNode], _ later: [YAMLNode], unique identity: ItemIdentity?) -> [YAMLNode] {
        guard let identity else { return earlier + later }
        let laterKeys = later.map { MergeTags.isReset($0) ? [] : identity.keys(of: $0, in: context) }
        let taken = Set(laterKeys.flatMap(\.self))
        var places: [String: Int] = [:]
        var rows: [[YAMLNode]] = []
        for item in earlier {
            let keys = identity.keys(of: item, in: context)
            for key in keys where places[key] == nil { places[key] = rows.count }
            rows.append(rest(of: item, keys, without: taken))
        }
        for (item, keys) in zip(later, laterKeys) {
            if let place = keys.lazy.compactMap({ places[$0] }).first {
                rows[place].append(item)
            } else {
                rows.append([item])
            }
        }
        return rows.flatMap(\.self)
    }

    /// What is left of an item: all, nothing, or the ports of a range that nobody else publishes.
    private func rest(of item: YAMLNode, _ keys: [String], without taken: Set<String>) -> [YAMLNode] {
        guard keys.contains(where: taken.contains) else { return [item] }
        context.history.note(replaced: item, at: path)
        guard keys.count > 1, item.scalar != nil else { return [] }
        return PortIdentity(item).remainder(without: taken).map {
            YAMLNode(.scalar(YAMLScalar($0, style: .doubleQuoted)), at: item.position)
        }
    }
}

import EscaleCore
import EscaleYAML

/// Makes a merged tree one that people can be shown: with absolute paths, and with what a project always has.
struct TreeFinish {
    let context: LoadContext
    let name: ProjectName
    let normalizes: Bool
    let resolvesPaths: Bool

    func finished(_ tree: YAMLNode) -> YAMLNode {
        let tree = resolvesPaths ? PathResolution(context: context).resolved(tree) : tree
        return normalizes ? withDefaultNetwork(withName(tree)) : tree
    }

    private func withName(_ tree: YAMLNode) -> YAMLNode {
        let place = tree.mapping?.pairs.first { $0.key == "name" }?.value.position ?? tree.position
        let others = (tree.mapping?.pairs ?? []).filter { $0.key != "name" }
        return YAMLNode(
            .mapping(YAMLMapping([pair("name", name.rawValue, at: place)] + others)),
            at: tree.position
        )
    }

    private func withDefaultNetwork(_ tree: YAMLNode) -> YAMLNode {
        let services = tree.mapping?["services"]?.mapping?.pairs ?? []
        let isUsed = services.contains { pair in
            guard !pair.key.hasPrefix("x-"), let service = pair.value.mapping,
                context.selection.isActive(pair.key)
            else { return false }
            return service["network_mode"] == nil && service["provider"] == nil
                && service["networks"].map {
                    ($0.sequence?.isEmpty ?? $0.mapping?.pairs.isEmpty) ?? $0.isNull
                } ?? true
        }
        guard isUsed, tree.mapping?["networks"]?.mapping?["default"] == nil else { return tree }
        let network = YAMLMapping([pair("name", "\(name)_default", at: tree.position)])
        let entry = YAMLMapping.Pair(
            key: "default",
            keyPosition: tree.position,
            value: YAMLNode(.mapping(network), at: tree.position)
        )
        guard tree.mapping?["networks"]?.mapping != nil else {
            let networks = YAMLNode(.mapping(YAMLMapping([entry])), at: tree.position)
            return tree.removing("networks")
                .appending(.init(key: "networks", keyPosition: tree.position, value: networks))
        }
        return tree.replacing("networks") { $0.appending(entry) }
    }

    private func pair(_ key: String, _ text: String, at position: SourcePosition) -> YAMLMapping.Pair {
        .init(
            key: key,
            keyPosition: position,
            value: YAMLNode(.scalar(YAMLScalar(text, style: .doubleQuoted)), at: position)
        )
    }
}

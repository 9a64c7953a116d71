import EscaleCore
import EscaleYAML

/// Manifests as text: one stream, a file each, a kustomize base, a Helm chart.
package enum ManifestFiles {
    /// All objects in the order in which they are to be made.
    package static func stream(_ set: ManifestSet) -> String {
        documents(set.objects.map { $0.manifest(namespace: set.namespace) })
    }

    /// A `List` of the v1 API.
    package static func json(_ set: ManifestSet) -> String {
        JSONWriter.text(
            .object([
                "apiVersion": "v1", "kind": "List", "items": .list(set.objects.map { $0.manifest(namespace: set.namespace) }),
            ]))
    }

    static func documents(_ values: [YAMLValue]) -> String {
        values.map { "---\n" + YAMLWriter.text($0) }.joined()
    }

    /// One file for each object, by its name. They are numbered: `kubectl apply -f DIRECTORY` goes by names.
    package static func separate(_ set: ManifestSet) -> [String: String] {
        var files: [String: String] = [:]
        let width = String(set.objects.count).count
        for (index, object) in set.objects.enumerated() {
            let number = String(index + 1)
            let name = String(repeating: "0", count: width - number.count) + number + "-" + fileName(object)
            files[name] = YAMLWriter.text(object.manifest(namespace: set.namespace))
        }
        return files
    }

    static func fileName(_ object: KubernetesObject) -> String { "\(object.kind.lowercased())-\(object.name).yaml" }
}

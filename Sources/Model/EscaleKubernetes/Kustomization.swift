import EscaleCore
import EscaleYAML

/// A kustomize base, and an overlay of patches for each environment (kustomize.config.k8s.io/v1beta1).
package enum Kustomization {
    /// Files by their paths: `base/…`, and `overlays/NAME/…`.
    package static func files(_ base: ManifestSet, overlays: [(name: String, set: ManifestSet)]) -> [String: String] {
        var files: [String: String] = [:]
        let objects = base.objects.filter { !$0.isOfCluster }
        for object in objects { files["base/\(ManifestFiles.fileName(object))"] = YAMLWriter.text(object.manifest(namespace: nil)) }
        files["base/kustomization.yaml"] = YAMLWriter.text(
            head([
                "namespace": .string(base.namespace),
                "resources": .strings(objects.map(ManifestFiles.fileName)),
            ]))
        for overlay in overlays {
            for (path, text) in self.overlay(overlay.set, over: objects) { files["overlays/\(overlay.name)/\(path)"] = text }
        }
        return files
    }

    private static func head(_ members: KeyValuePairs<String, YAMLValue?>) -> YAMLValue {
        .map(
            [.init("apiVersion", "kustomize.config.k8s.io/v1beta1"), .init("kind", "Kustomization")]
                + YAMLValue.object(members).members)
    }

    private static func overlay(_ set: ManifestSet, over base: [KubernetesObject]) -> [String: String] {
        var files: [String: String] = [:]
        var resources = ["../../base"]
        var patches: [YAMLValue] = []
        let objects = set.objects.filter { !$0.isOfCluster }
        for object in objects {
            guard let former = base.first(where: { $0.kind == object.kind && $0.name == object.name }) else {
                files[ManifestFiles.fileName(object)] = YAMLWriter.text(object.manifest(namespace: nil))
                resources.append(ManifestFiles.fileName(object))
                continue
            }
            let steps = JSONPatch.from(former.manifest(namespace: nil), to: object.manifest(namespace: nil))
            guard !steps.isEmpty else { continue }
            let name = "patch-\(ManifestFiles.fileName(object))"
            files[name] = YAMLWriter.text(.list(steps))
            patches.append(.object(["path": .string(name), "target": target(object)]))
        }
        for object in base where !objects.contains(where: { $0.kind == object.kind && $0.name == object.name }) {
            let text = YAMLWriter.text(
                .object([
                    "apiVersion": .string(object.apiVersion), "kind": .string(object.kind),
                    "metadata": .object(["name": .string(object.name)]), "$patch": "delete",
                ]))
            patches.append(.object(["patch": .string(text)]))
        }
        files["kustomization.yaml"] = YAMLWriter.text(
            head([
                "namespace": .string(set.namespace), "resources": .strings(resources),
                "patches": YAMLValue.list(patches).unlessEmpty,
            ]))
        return files
    }

    private static func target(_ object: KubernetesObject) -> YAMLValue {
        .object(["kind": .string(object.kind), "name": .string(object.name)])
    }
}

/// What makes one tree of another (RFC 6902).
enum JSONPatch {
    static func from(_ old: YAMLValue, to new: YAMLValue) -> [YAMLValue] { steps(old, new, at: "") }

    private static func steps(_ old: YAMLValue, _ new: YAMLValue, at path: String) -> [YAMLValue] {
        if old == new { return [] }
        switch (old, new) {
        case (.map(let former), .map(let latter)):
            var steps: [YAMLValue] = []
            for member in former where new[member.key] == nil { steps.append(step("remove", path, member.key, nil)) }
            for member in latter {
                if let value = old[member.key] {
                    steps += self.steps(value, member.value, at: "\(path)/\(escaped(member.key))")
                } else {
                    steps.append(step("add", path, member.key, member.value))
                }
            }
            return steps
        case (.list(let former), .list(let latter)) where former.count == latter.count:
            return zip(former, latter).enumerated().flatMap { index, pair in steps(pair.0, pair.1, at: "\(path)/\(index)") }
        default: return [.object(["op": "replace", "path": .string(path), "value": new])]
        }
    }

    private static func step(_ operation: String, _ path: String, _ key: String, _ value: YAMLValue?) -> YAMLValue {
        .object(["op": .string(operation), "path": .string("\(path)/\(escaped(key))"), "value": value])
    }

    private static func escaped(_ key: String) -> String { key.replacing("~", with: "~0").replacing("/", with: "~1") }
}

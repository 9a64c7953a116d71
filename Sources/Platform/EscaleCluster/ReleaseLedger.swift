import EscaleCore
package import EscaleKubernetes
import EscaleSystem
import EscaleYAML
import FoundationEssentials

/// The releases of a project in a cluster: a ConfigMap each, with the manifests as they were, so that one can go back.
///
/// Secrets are not in it. Kept are as many as the project's `x-escale.release.keep` says.
package struct ReleaseLedger: Sendable {
    package struct Record: Sendable {
        package let number: Int
        package var state: String
        package let at: String
        /// Of workloads.
        package let images: [String]
        let manifests: YAMLValue
    }

    package let project: ClusterProject

    package init(_ project: ClusterProject) { self.project = project }

    private static let prefix = "escale-release-"

    static func isRecord(_ name: String) -> Bool { name.hasPrefix(prefix) }

    private func resource() async throws -> ClusterClient.APIResource {
        guard let found = try await project.client.resource("ConfigMap", in: ["v1"]) else {
            throw EscaleError(.init("cluster.kind"), "the cluster has no ConfigMap")
        }
        return found
    }

    /// The latest last.
    package func records() async throws -> [Record] {
        try await project.client.list(try await resource(), namespace: project.namespace, labels: project.labels).compactMap { live in
            guard let name = live.value(at: "metadata", "name")?.stringValue, Self.isRecord(name), let number = Int(name.dropFirst(Self.prefix.count)),
                let text = live.value(at: "data", "manifests")?.stringValue,
                let manifests = try? JSONDecoder().decode(YAMLValue.self, from: Data(text.utf8))
            else { return nil }
            return Record(
                number: number, state: live.value(at: "data", "state")?.stringValue ?? "unknown", at: live.value(at: "data", "at")?.stringValue ?? "",
                images: (live.value(at: "data", "images")?.stringValue ?? "").split(separator: "\n").map(String.init), manifests: manifests)
        }
        .sorted { $0.number < $1.number }
    }

    /// Writes a release down, and forgets the oldest ones.
    package func record(_ number: Int, _ objects: [KubernetesObject], state: String, keeping kept: Int) async throws {
        let manifests = objects.filter { $0.kind != "Secret" }.map { object -> YAMLValue in
            .object([
                "manifest": object.manifest(namespace: project.namespace), "service": object.service.map { .string($0) }, "wave": .number(object.wave),
                "rollsBack": .bool(object.rollsBack),
            ])
        }
        var images: [String] = []
        for object in objects where object.isWorkload {
            let template = object.manifest(namespace: nil)["spec"]?["template"] ?? object.manifest(namespace: nil).value(at: "spec", "jobTemplate", "spec", "template")
            if let image = template?.value(at: "spec", "containers")?.items.first?["image"]?.stringValue { images.append("\(object.name)=\(image)") }
        }
        var record = KubernetesObject(
            "v1", "ConfigMap", "\(Self.prefix)\(number)",
            [
                "data": .object([
                    "state": .string(state), "at": .string("\(Timestamp.now)"), "images": .string(images.joined(separator: "\n")),
                    "manifests": .string(JSONWriter.text(.list(manifests))),
                ])
            ])
        record.labels = project.labels
        _ = try await project.apply(.init(object: record, resource: try await resource()), over: nil)
        for old in try await records().dropLast(max(1, kept)) {
            try await project.client.delete(try await resource(), "\(Self.prefix)\(old.number)", namespace: project.namespace)
        }
    }
}

extension ReleaseLedger.Record {
    /// The objects of the release.
    package var objects: [KubernetesObject] {
        manifests.items.compactMap { item in
            guard let manifest = item["manifest"], let version = manifest["apiVersion"]?.stringValue, let kind = manifest["kind"]?.stringValue,
                let name = manifest.value(at: "metadata", "name")?.stringValue
            else { return nil }
            var object = KubernetesObject(version, kind, name, [:])
            object.content = manifest.members.filter { !["apiVersion", "kind", "metadata"].contains($0.key) }
            func texts(_ key: String) -> [String: String] {
                Dictionary(
                    (manifest.value(at: "metadata", key)?.members ?? []).compactMap { member in member.value.stringValue.map { (member.key, $0) } },
                    uniquingKeysWith: { $1 })
            }
            object.labels = texts("labels")
            object.annotations = texts("annotations")
            object.service = item["service"]?.stringValue
            object.wave = Int(item["wave"]?.intValue ?? 0)
            object.rollsBack = item["rollsBack"]?.boolValue ?? true
            return object
        }
    }
}

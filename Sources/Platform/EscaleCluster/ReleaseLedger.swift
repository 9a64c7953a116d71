package import EscaleCore
package import EscaleKubernetes
package import EscaleRelease
import EscaleSystem
import EscaleYAML
import FoundationEssentials

/// The releases of a project in a cluster: a ConfigMap each, with the manifests as they were and how far the release is.
///
/// Whoever changes a release that is under way says which state of it that follows from, so that of two at once one has to look
/// again. Secrets are in none. Kept are as many as the project's `x-escale.release.keep` says.
package struct ReleaseLedger: Sendable {
    package struct Record: Sendable {
        package let number: Int
        /// `running` and the like: see ``Record/isOpen``.
        package var state: String
        package let at: String
        /// Of workloads.
        package let images: [String]
        let manifests: YAMLValue
        /// `nil` where nothing had to be exchanged.
        package var progress: ReleaseProgress?
        /// Of the ConfigMap, as it was read.
        var version: String?

        /// Whether something is still to be done for it.
        package var isOpen: Bool { progress != nil && !Self.ended.contains(state) }
        /// Whether it is what was wanted, and stands or stood.
        package var isGood: Bool { state == Self.succeeded }

        package static let succeeded = "succeeded"
        static let failed = "failed"
        static let rolledBack = "rolled-back"
        static let superseded = "superseded"
        private static let ended = [succeeded, failed, rolledBack, superseded]
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
        try await project.client.list(try await resource(), namespace: project.namespace, labels: project.labels).compactMap(Self.record)
            .sorted { $0.number < $1.number }
    }

    /// As it is by now; `nil` where it is no longer kept.
    func record(_ number: Int) async throws -> Record? {
        try await project.client.get(try await resource(), "\(Self.prefix)\(number)", namespace: project.namespace).flatMap(Self.record)
    }

    private static func record(_ live: YAMLValue) -> Record? {
        guard let name = live.value(at: "metadata", "name")?.stringValue, isRecord(name), let number = Int(name.dropFirst(prefix.count)),
            let text = live.value(at: "data", "manifests")?.stringValue,
            let manifests = try? JSONDecoder().decode(YAMLValue.self, from: Data(text.utf8))
        else { return nil }
        func data(_ key: String) -> String? { live.value(at: "data", key)?.stringValue }
        // Of a newer Escale's release this one knows no more than its manifests.
        let progress = data("release").flatMap { try? JSONDecoder().decode(ReleaseProgress.self, from: Data($0.utf8)) }
        return Record(
            number: number, state: data("state") ?? "unknown", at: data("at") ?? "",
            images: (data("images") ?? "").split(separator: "\n").map(String.init), manifests: manifests, progress: progress,
            version: live.value(at: "metadata", "resourceVersion")?.stringValue)
    }

    /// A release as it is to be written down.
    ///
    /// - Parameter objects: Secrets among them are left out.
    package func draft(_ number: Int, _ objects: [KubernetesObject], state: String, _ progress: ReleaseProgress? = nil) throws -> Record {
        let manifests = try objects.filter { $0.kind != "Secret" }.map { object -> YAMLValue in
            .object([
                "manifest": object.manifest(namespace: project.namespace), "service": object.service.map { .string($0) },
                "plan": try object.plan.map { .string(try Self.text($0)) },
            ])
        }
        var images: [String] = []
        for object in objects where object.isWorkload {
            let template = object.manifest(namespace: nil)["spec"]?["template"] ?? object.manifest(namespace: nil).value(at: "spec", "jobTemplate", "spec", "template")
            if let image = template?.value(at: "spec", "containers")?.items.first?["image"]?.stringValue { images.append("\(object.name)=\(image)") }
        }
        return Record(
            number: number, state: state, at: "\(Timestamp.now)", images: images, manifests: .list(manifests), progress: progress, version: nil)
    }

    /// Writes it down as it is now.
    ///
    /// - Throws: `cluster.conflict` where somebody else has written it since this one was read.
    @discardableResult
    package func save(_ record: Record) async throws -> Record {
        var object = KubernetesObject(
            "v1", "ConfigMap", "\(Self.prefix)\(record.number)",
            [
                "data": .object([
                    "state": .string(record.state), "at": .string(record.at), "images": .string(record.images.joined(separator: "\n")),
                    "manifests": .string(JSONWriter.text(record.manifests)),
                    "release": try record.progress.map { .string(try Self.text($0)) },
                ])
            ])
        object.labels = project.labels
        var manifest = object.manifest(namespace: project.namespace)
        if let version = record.version, var metadata = manifest["metadata"] {
            metadata["resourceVersion"] = .string(version)
            manifest["metadata"] = metadata
        }
        let resource = try await resource()
        let live = try await project.client.apply(
            manifest, resource, object.name, namespace: project.namespace, manager: ClusterProject.manager, force: true)
        var saved = record
        saved.version = live.value(at: "metadata", "resourceVersion")?.stringValue
        return saved
    }

    /// Forgets the oldest releases.
    package func prune(keeping kept: Int) async throws {
        for old in try await records().dropLast(max(1, kept)) where !old.isOpen {
            try await project.client.delete(try await resource(), "\(Self.prefix)\(old.number)", namespace: project.namespace)
        }
    }

    private static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

/// How far a release in a cluster is.
package struct ReleaseProgress: Codable, Sendable {
    package var release: Release
    /// The release that it comes from, and goes back to.
    package var base: Int?
    /// What each of its changes is about.
    package var parts: [ServiceName: Part]

    package struct Part: Codable, Sendable {
        /// The workload as the manifests name it, such as `Deployment/web`.
        package var workload: String
        /// Where traffic is shifted: the Deployments that hold the old version and the new one. One of them has the workload's own name.
        package var places: Places?
    }

    package struct Places: Codable, Sendable {
        package var old: String
        package var new: String
    }

    package func part(_ service: ServiceName) -> Part? { parts[service] }
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
            object.plan = item["plan"]?.stringValue.flatMap { try? JSONDecoder().decode(WorkloadPlan.self, from: Data($0.utf8)) }
            return object
        }
    }

    /// Whether it is of the same objects, Secrets apart.
    package func isSame(as objects: [KubernetesObject], in project: ClusterProject) -> Bool {
        let others = objects.filter { $0.kind != "Secret" }.map { $0.manifest(namespace: project.namespace) }
        return manifests.items.compactMap { $0["manifest"] }.map(\.sorted) == others.map(\.sorted)
    }
}

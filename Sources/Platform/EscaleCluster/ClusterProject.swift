import EscaleCore
package import EscaleKubernetes
package import EscaleYAML

/// One project in a cluster: what of it is there, and how it becomes what the manifests say.
///
/// Its objects are those with its labels. Nothing else is ever changed, and claims and namespaces are removed only when asked.
package struct ClusterProject: Sendable {
    /// What happened to one object.
    package enum Change: String, Sendable {
        case created, configured, unchanged
    }

    /// An object with the place where the server keeps its kind.
    package struct Placed: Sendable {
        package let object: KubernetesObject
        package let resource: ClusterClient.APIResource
    }

    package let client: ClusterClient
    /// The value of `app.kubernetes.io/instance`.
    package let name: String
    package let namespace: String

    /// Of server-side apply.
    static let manager = "escale"

    package init(client: ClusterClient, name: String, namespace: String) {
        self.client = client
        self.name = name
        self.namespace = namespace
    }

    /// By which its objects are known.
    package var labels: [String: String] { ["app.kubernetes.io/instance": name, "app.kubernetes.io/managed-by": Self.manager] }

    // MARK: Before anything is changed

    /// The objects in the versions that the server has.
    ///
    /// - Throws: `cluster.kind` for a kind that it hasn't.
    package func placed(_ objects: [KubernetesObject]) async throws -> [Placed] {
        var placed: [Placed] = []
        for object in objects {
            guard let resource = try await client.resource(object.kind, in: object.versions) else {
                throw EscaleError(
                    .init("cluster.kind"), "the cluster has no \(object.kind) (\(object.versions.joined(separator: ", "))), which \(object) needs",
                    hint: Self.hint(object.kind))
            }
            var object = object
            object.apiVersion = resource.apiVersion
            placed.append(Placed(object: object, resource: resource))
        }
        return placed
    }

    private static func hint(_ kind: String) -> String {
        switch kind {
        case "HTTPRoute": "install the Gateway API's definitions, or choose --routes ingress"
        case "ExternalSecret": "install External Secrets, or choose --secrets reference"
        case "Rollout": "install Argo Rollouts, or choose --strategies escale"
        default: "the server is too old or too new: it has to be Kubernetes 1.20 or later"
        }
    }

    /// What of the objects is there, by ``KubernetesObject/description``.
    ///
    /// - Throws: `cluster.foreign` with every object that is there and is somebody else's.
    package func live(_ placed: [Placed]) async throws -> [String: YAMLValue] {
        var found: [String: YAMLValue] = [:]
        var foreign: [String] = []
        for item in placed {
            guard let live = try await client.get(item.resource, item.object.name, namespace: place(of: item)) else { continue }
            found["\(item.object)"] = live
            if !item.object.isOfCluster, !isOwn(live) { foreign.append("\(item.object)") }
        }
        guard foreign.isEmpty else {
            throw EscaleError(
                .init("cluster.foreign"), "\(foreign.joined(separator: ", ")) in the namespace \(namespace) \(foreign.count == 1 ? "is" : "are") not of this project",
                hint: "choose another namespace with --namespace, or remove \(foreign.count == 1 ? "it" : "them")")
        }
        return found
    }

    private func place(of item: Placed) -> String? { item.resource.isNamespaced ? namespace : nil }

    private func isOwn(_ live: YAMLValue) -> Bool {
        labels.allSatisfy { live.value(at: "metadata", "labels")?[$0.key]?.stringValue == $0.value }
    }

    // MARK: Changes

    /// Makes the object what the manifest says; a namespace that is there stays as it is.
    ///
    /// - Parameter before: the object as it is there; `nil` where it isn't.
    package func apply(_ item: Placed, over before: YAMLValue?) async throws -> Change {
        if item.object.isOfCluster, before != nil { return .unchanged }
        if let before { try await leaveReplicas(item, as: before) }
        let after = try await client.apply(
            item.object.manifest(namespace: namespace), item.resource, item.object.name, namespace: place(of: item), manager: Self.manager, force: true)
        guard let before else { return .created }
        return Self.version(before) == Self.version(after) ? .unchanged : .configured
    }

    /// What the object would be.
    func dryApply(_ item: Placed) async throws -> YAMLValue {
        try await client.apply(
            item.object.manifest(namespace: namespace), item.resource, item.object.name, namespace: place(of: item), manager: Self.manager, force: true,
            isDry: true)
    }

    /// The manifest no longer says how many replicas there are, since an autoscaler is to decide: that field is given to another manager
    /// before. Else there would be one until the autoscaler has seen it.
    private func leaveReplicas(_ item: Placed, as before: YAMLValue) async throws {
        guard item.object.kind == "Deployment" || item.object.kind == "StatefulSet", let plan = item.object.plan,
            item.object.content.first(where: { $0.key == "spec" })?.value["replicas"] == nil, let present = before.value(at: "spec", "replicas")?.intValue
        else { return }
        let isOurs = before.value(at: "metadata", "managedFields")?.items.contains { entry in
            entry["manager"]?.stringValue == Self.manager && entry.value(at: "fieldsV1", "f:spec", "f:replicas") != nil
        }
        guard isOurs == true || present == 0 else { return }
        let change = YAMLValue.object([
            "apiVersion": .string(item.object.apiVersion), "kind": .string(item.object.kind),
            "metadata": .object(["name": .string(item.object.name), "namespace": .string(namespace)]),
            "spec": .object(["replicas": .number(present > 0 ? Int(present) : plan.replicas)]),
        ])
        _ = try await client.apply(change, item.resource, item.object.name, namespace: place(of: item), manager: "escale-release", force: true)
    }

    private static func version(_ object: YAMLValue) -> String? { object.value(at: "metadata", "resourceVersion")?.stringValue }

    /// The project's objects that are not among these, but for what holds data. Records of releases are none.
    package func leftovers(besides objects: [KubernetesObject]) async throws -> [Placed] {
        let wanted = Set(objects.map(\.description))
        return try await all().filter { !wanted.contains($0.object.description) && !$0.object.holdsData && !ReleaseLedger.isRecord($0.object.name) }
    }

    /// Every object of the project in its namespace.
    package func all() async throws -> [Placed] {
        var found: [Placed] = []
        for kind in KubernetesObject.kinds {
            guard let resource = try await client.resource(kind.kind, in: kind.versions) else { continue }
            for live in try await client.list(resource, namespace: namespace, labels: labels) {
                guard let name = live.value(at: "metadata", "name")?.stringValue else { continue }
                // What a controller made of one of ours is the controller's, labels or not.
                let managers = live.value(at: "metadata", "managedFields")?.items.compactMap { $0["manager"]?.stringValue } ?? []
                guard managers.contains(Self.manager) else { continue }
                found.append(Placed(object: KubernetesObject(resource.apiVersion, kind.kind, name, [:]), resource: resource))
            }
        }
        return found
    }

    package func remove(_ item: Placed) async throws {
        try await client.delete(item.resource, item.object.name, namespace: place(of: item))
    }

    /// The namespace, if it was made for the project and nothing else is in it.
    package func removeNamespace() async throws -> Bool {
        guard let resource = try await client.resource("Namespace", in: ["v1"]), let live = try await client.get(resource, namespace, namespace: nil),
            isOwn(live)
        else { return false }
        try await client.delete(resource, namespace, namespace: nil)
        return true
    }

    // MARK: Differences

    /// One field of an object that is not as the manifest says.
    package struct Difference: Sendable, Hashable {
        package let object: String
        /// Keys from the top, joined by dots; empty for the whole object.
        package let path: String
        package let old: String?
        package let new: String?
    }

    /// What applying would change, by the server's own account (a dry run), removals included.
    ///
    /// - Throws: as ``live(_:)``.
    package func differences(_ placed: [Placed]) async throws -> [Difference] {
        var found: [Difference] = []
        let live = try await live(placed)
        for item in placed {
            guard let live = live["\(item.object)"] else {
                found.append(Difference(object: "\(item.object)", path: "", old: nil, new: "to be made"))
                continue
            }
            if item.object.isOfCluster { continue }
            let then = try await dryApply(item)
            let isSecret = item.object.kind == "Secret"
            for change in TreeDifference.between(Self.settled(live), Self.settled(then)) {
                let hides = isSecret && change.path.hasPrefix("data")
                found.append(
                    Difference(
                        object: "\(item.object)", path: change.path, old: hides ? change.old.map { _ in "(a value)" } : change.old,
                        new: hides ? change.new.map { _ in "(another value)" } : change.new))
            }
        }
        for item in try await leftovers(besides: placed.map(\.object)) {
            found.append(Difference(object: "\(item.object)", path: "", old: "to be removed", new: nil))
        }
        return found
    }

    /// The object without what the server keeps for itself.
    static func settled(_ object: YAMLValue) -> YAMLValue {
        let ownKeys: Set = ["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"]
        return .map(
            object.members.compactMap { member in
                switch member.key {
                case "status": nil
                case "metadata": .init("metadata", .map(member.value.members.filter { !ownKeys.contains($0.key) }))
                default: member
                }
            })
    }
}

/// Where two trees differ.
enum TreeDifference {
    struct Change: Hashable {
        var path: String
        var old: String?
        var new: String?
    }

    static func between(_ old: YAMLValue, _ new: YAMLValue, at path: String = "") -> [Change] {
        if old == new { return [] }
        switch (old, new) {
        case (.map(let former), .map(let latter)):
            let names = Set(former.map(\.key)).union(latter.map(\.key)).sorted()
            return names.flatMap { name -> [Change] in
                let place = path.isEmpty ? name : "\(path).\(name)"
                switch (old[name], new[name]) {
                case (let a?, let b?): return between(a, b, at: place)
                case (let a?, nil): return [Change(path: place, old: text(a), new: nil)]
                case (nil, let b?): return [Change(path: place, old: nil, new: text(b))]
                case (nil, nil): return []
                }
            }
        case (.list(let former), .list(let latter)) where former.count == latter.count:
            return zip(former, latter).enumerated().flatMap { between($1.0, $1.1, at: "\(path)[\($0)]") }
        default: return [Change(path: path, old: text(old), new: text(new))]
        }
    }

    private static func text(_ value: YAMLValue) -> String {
        switch value {
        case .string(let text): text
        case .null, .bool, .int, .double, .list, .map:
            JSONWriter.text(value).split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: " ")
        }
    }
}

import EscaleCore
import EscaleHTTP
package import EscaleYAML

/// Objects, one by one and in lists.
extension ClusterClient {
    /// `nil` where there is none.
    package func get(_ resource: APIResource, _ name: String, namespace: String?) async throws -> YAMLValue? {
        do {
            return try await send(.get, resource.path(namespace: namespace, name: name), to: "get \(resource.kind)/\(name)")
        } catch let error as EscaleError where error.code == .clusterNotFound {
            return nil
        }
    }

    /// All objects with the labels, in pages of 500.
    package func list(_ resource: APIResource, namespace: String?, labels: [String: String] = [:]) async throws -> [YAMLValue] {
        var found: [YAMLValue] = []
        var next = ""
        while true {
            var query = [("limit", "500")]
            if !labels.isEmpty {
                query.append(("labelSelector", labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")))
            }
            if !next.isEmpty { query.append(("continue", next)) }
            let page: YAMLValue
            do {
                page = try await send(.get, resource.path(namespace: namespace), query, to: "list \(resource.plural)")
            } catch let error as EscaleError where error.code == .clusterExpired && !next.isEmpty {
                // The server keeps what a list began with for some minutes only.
                (found, next) = ([], "")
                continue
            }
            // Items of a list don't say what they are.
            found += (page["items"]?.items ?? []).map { item in
                .map([.init("apiVersion", .string(resource.apiVersion)), .init("kind", .string(resource.kind))]
                    + item.members.filter { !["apiVersion", "kind"].contains($0.key) })
            }
            next = page.value(at: "metadata", "continue")?.stringValue ?? ""
            if next.isEmpty { return found }
        }
    }

    /// Server-side apply: the object is made, or changed so that the fields of the manifest are as it says.
    ///
    /// - Parameters:
    ///   - manager: owns the fields from then on; those that it owned and the manifest lacks are removed.
    ///   - force: takes fields from other managers; without it that is an error.
    ///   - isDry: nothing is kept; the answer is what would be.
    /// - Throws: `cluster.conflict` where fields belong to somebody else.
    package func apply(
        _ manifest: YAMLValue, _ resource: APIResource, _ name: String, namespace: String?, manager: String, force: Bool, isDry: Bool = false
    ) async throws -> YAMLValue {
        var query = [("fieldManager", manager), ("force", force ? "true" : "false")]
        if isDry { query.append(("dryRun", "All")) }
        return try await send(
            .patch, resource.path(namespace: namespace, name: name), query, body: manifest, type: "application/apply-patch+yaml",
            to: "apply \(resource.kind)/\(name)")
    }

    /// Changes a few fields of an object that is there, as another manager than the one that applies it (RFC 7386).
    package func merge(_ change: YAMLValue, into resource: APIResource, _ name: String, namespace: String?, manager: String) async throws {
        _ = try await send(
            .patch, resource.path(namespace: namespace, name: name), [("fieldManager", manager)], body: change,
            type: "application/merge-patch+json", to: "change \(resource.kind)/\(name)")
    }

    /// Asks a pod for a path, by way of the API server. An answer of any status is one; it is asked once.
    package func ask(pod: String, port: UInt16, path: String, namespace: String) async throws -> Int {
        let place = "/api/v1/namespaces/\(namespace)/pods/\(pod):\(port)/proxy\(path.hasPrefix("/") ? path : "/\(path)")"
        return Int(try await exchange(.get, place, [], body: nil, type: "").status.rawValue)
    }

    /// Deletes the object and what belongs to it, if it is still the one of that `uid`. One that isn't there is no error.
    package func delete(_ resource: APIResource, _ name: String, namespace: String?, uid: String? = nil) async throws {
        let options = YAMLValue.object([
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
            "preconditions": uid.map { .object(["uid": .string($0)]) },
        ])
        do {
            _ = try await send(.delete, resource.path(namespace: namespace, name: name), body: options, to: "delete \(resource.kind)/\(name)")
        } catch let error as EscaleError where error.code == .clusterNotFound {}
    }

    /// The end of a container's output.
    ///
    /// - Parameter isFormer: of the run before the present one.
    package func logTail(pod: String, container: String, namespace: String, lines: Int, isFormer: Bool) async throws -> String {
        let query = [("container", container), ("tailLines", "\(lines)"), ("previous", isFormer ? "true" : "false")]
        let bytes = try await bytes(.get, "/api/v1/namespaces/\(namespace)/pods/\(pod)/log", query, to: "read the output of \(pod)")
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What happened to an object, the latest last: `reason: message`.
    package func events(kind: String, name: String, namespace: String) async throws -> [String] {
        let query = [("fieldSelector", "involvedObject.kind=\(kind),involvedObject.name=\(name)")]
        let list = try await send(.get, "/api/v1/namespaces/\(namespace)/events", query, to: "list events")
        return (list["items"]?.items ?? []).sorted {
            ($0["lastTimestamp"]?.stringValue ?? "") < ($1["lastTimestamp"]?.stringValue ?? "")
        }.map { "\($0["reason"]?.stringValue ?? ""): \($0["message"]?.stringValue ?? "")" }
    }
}

import EscaleCluster
import EscaleHTTP
import EscaleKubernetes
import EscaleYAML
import FoundationEssentials
import Synchronization

/// Objects as an API server keeps them, as far as a project needs it: apply, get, list by labels, delete.
final class FakeStore: Sendable {
    private struct State {
        var objects: [String: YAMLValue] = [:]
        var version = 0
        var changes: [String] = []
    }

    private let state = Mutex(State())

    /// What changed something, in its order: `PATCH configmaps/a`.
    var changes: [String] { state.withLock { $0.changes } }
    var names: [String] { state.withLock { $0.objects.keys.sorted().map { $0.split(separator: "/").suffix(2).joined(separator: "/") } } }

    /// - Parameter isOld: whether there is no `batch/v1` for CronJobs.
    static func with(isOld: Bool = false, _ body: (FakeStore, ClusterProject) async throws -> Void) async throws {
        let store = FakeStore()
        try await FakeAPI.with(discovers: false) { request, _ in
            if let kinds = versions[request.encodedPath] {
                let items = kinds.filter { !isOld || $0 != "CronJob" }.map { kind in
                    #"{"name":"\#(kind.lowercased())s","kind":"\#(kind)","namespaced":\#(kind != "Namespace")}"#
                }
                return .json(#"{"resources":[\#(items.joined(separator: ","))]}"#)
            }
            if isOld, request.encodedPath == "/apis/batch/v1beta1" {
                return .json(#"{"resources":[{"name":"cronjobs","kind":"CronJob","namespaced":true}]}"#)
            }
            return store.answer(request)
        } _: { api in
            try await body(store, ClusterProject(client: try api.client(), name: "shop", namespace: "prod"))
        }
    }

    private static let versions = [
        "/api/v1": ["Namespace", "ConfigMap", "Secret", "PersistentVolumeClaim"], "/apis/apps/v1": ["Deployment"], "/apis/batch/v1": ["Job", "CronJob"],
    ]

    private func answer(_ request: HTTPRequest) -> HTTPResponse {
        state.withLock { state in
            let path = request.encodedPath
            let title = path.split(separator: "/").suffix(2).joined(separator: "/")
            let known = state.objects[path]
            switch request.method {
            case .patch:
                guard let body = try? JSONDecoder().decode(YAMLValue.self, from: Data(request.body)) else { return .status(400, "no JSON") }
                var object = body
                let manager = request.query["fieldManager"] ?? ""
                object["metadata"]?["managedFields"] = .list([.object(["manager": .string(manager)])])
                object["metadata"]?["resourceVersion"] = known?["metadata"]?["resourceVersion"]
                if object != known { object["metadata"]?["resourceVersion"] = .string("\(state.version + 1)") }
                if request.query["dryRun"] != nil { return .json(JSONWriter.text(object)) }
                state.version += 1
                state.objects[path] = object
                state.changes.append("PATCH \(title)")
                return .json(JSONWriter.text(object))
            case .delete:
                guard state.objects.removeValue(forKey: path) != nil else { return .status(404, "not found") }
                state.changes.append("DELETE \(title)")
                return .json(#"{"kind":"Status","status":"Success"}"#)
            case _ where known != nil: return .json(known.map { JSONWriter.text($0) } ?? "")
            case _ where request.query["labelSelector"] != nil:
                let wanted = (request.query["labelSelector"] ?? "").split(separator: ",").map { $0.split(separator: "=").map(String.init) }
                let found = state.objects.filter { key, object in
                    key.hasPrefix("\(path)/") && wanted.allSatisfy { object.value(at: "metadata", "labels")?[$0[0]]?.stringValue == $0[1] }
                }
                return .json(JSONWriter.text(.object(["metadata": .map([]), "items": .list(found.sorted { $0.key < $1.key }.map(\.value))])))
            default: return .status(404, "\(title) not found")
            }
        }
    }
}

import EscaleCluster
import EscaleCore
import EscaleHTTP
import EscaleSystem
import EscaleTestExpectations
import EscaleTestSupport
import EscaleYAML
import FoundationEssentials
import Testing

@Suite struct ClusterClientTests {
    private static let manifest = YAMLValue.object(["apiVersion": "apps/v1", "kind": "Deployment", "metadata": .object(["name": "web"])])

    // MARK: What is sent

    struct Deed: Sendable, CustomTestStringConvertible {
        let name: String
        let method: HTTPMethod
        let target: String
        var type: String?
        var body: YAMLValue?
        let run: @Sendable (ClusterClient, _ deployments: ClusterClient.APIResource) async throws -> Void
        var testDescription: String { name }
    }

    private static let web = "/apis/apps/v1/namespaces/shop/deployments/web"
    private static let patch = "application/apply-patch+yaml"

    @Test(arguments: [
        Deed(name: "get", method: .get, target: web) { _ = try await $0.get($1, "web", namespace: "shop") },
        Deed(name: "get of the cluster", method: .get, target: "/api/v1/namespaces/shop") { client, _ in
            let namespaces = try #require(try await client.resource("Namespace", in: ["v1"]))
            _ = try await client.get(namespaces, "shop", namespace: nil)
        },
        Deed(name: "list", method: .get, target: "/apis/apps/v1/namespaces/shop/deployments?limit=500&labelSelector=a%3Db%2Cc%2Fd%3De") {
            _ = try await $0.list($1, namespace: "shop", labels: ["c/d": "e", "a": "b"])
        },
        Deed(name: "apply", method: .patch, target: "\(web)?fieldManager=escale&force=true", type: patch, body: manifest) {
            _ = try await $0.apply(manifest, $1, "web", namespace: "shop", manager: "escale", force: true)
        },
        Deed(name: "apply politely", method: .patch, target: "\(web)?fieldManager=escale&force=false", type: patch, body: manifest) {
            _ = try await $0.apply(manifest, $1, "web", namespace: "shop", manager: "escale", force: false)
        },
        Deed(name: "apply dry", method: .patch, target: "\(web)?fieldManager=escale&force=true&dryRun=All", type: patch, body: manifest) {
            _ = try await $0.apply(manifest, $1, "web", namespace: "shop", manager: "escale", force: true, isDry: true)
        },
        Deed(
            name: "delete", method: .delete, target: web, type: "application/json",
            body: .object([
                "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": .object(["uid": "u1"]), "propagationPolicy": "Background",
            ])
        ) { try await $0.delete($1, "web", namespace: "shop", uid: "u1") },
        Deed(
            name: "log", method: .get,
            target: "/api/v1/namespaces/shop/pods/web-1/log?container=web&tailLines=7&previous=true"
        ) { client, _ in
            _ = try await client.logTail(pod: "web-1", container: "web", namespace: "shop", lines: 7, isFormer: true)
        },
        Deed(
            name: "events", method: .get,
            target: "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.kind%3DPod%2CinvolvedObject.name%3Dweb-1"
        ) { client, _ in _ = try await client.events(kind: "Pod", name: "web-1", namespace: "shop") },
    ])
    func isSent(deed: Deed) async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            let client = try api.client(user: "token: abc")
            try await deed.run(client, try #require(try await client.resource("Deployment", in: ["apps/v1"])))
            #expect(api.requests.count == 1)
            let request = try #require(api.requests.first)
            #expect(request.method == deed.method)
            #expect(request.target == deed.target)
            #expect(request.headers["Authorization"] == "Bearer abc")
            #expect(request.headers["Accept"] == "application/json")
            #expect(request.headers["Content-Type"] == deed.type)
            let body = request.body.isEmpty ? nil : try JSONDecoder().decode(YAMLValue.self, from: Data(request.body))
            #expect(body == deed.body)
        }
    }

    @Test(arguments: ["/k8s/clusters/c-1", "/k8s/clusters/c-1/"])
    func aServersOwnPathComesFirst(path: String) async throws {
        try await FakeAPI.with(discovers: false) { _, _ in .json(#"{"resources":[{"name":"pods","kind":"Pod"}]}"#) } _: { api in
            let client = try api.client(server: "https://127.0.0.1:\(api.port)\(path)")
            _ = try await client.resource("Pod", in: ["v1"])
            #expect(api.requests.map(\.target) == ["/k8s/clusters/c-1/api/v1"])
        }
    }

    @Test func whoOneIsGoesWithEachRequest() async throws {
        try await FakeAPI.with { _, _ in .object } _: { api in
            func seen(_ user: String) async throws -> HTTPHeaders {
                try await api.client(user: user).web()
                return try #require(api.requests.last).headers
            }
            #expect(try await seen("")["Authorization"] == nil)
            #expect(try await seen("username: a\npassword: b")["Authorization"] == "Basic YTpi")
            #expect(try await seen("username: a")["Authorization"] == "Basic YTo=")
            let other = try await seen("token: t\nas: jane\nas-uid: '7'\nas-groups: [dev, 'team: ops']\nas-user-extra: {acme.com/Team%: [x, y]}")
            #expect(other["Impersonate-User"] == "jane")
            #expect(other["Impersonate-Uid"] == "7")
            #expect(other.all("Impersonate-Group") == ["dev", "team: ops"])
            #expect(other.all("Impersonate-Extra-acme.com%2FTeam%25") == ["x", "y"])

            try api.directory.file("token", "first\n")
            let client = try api.client(user: "tokenFile: token")
            try await client.web()
            try api.directory.file("token", "second")
            try await client.web()
            #expect(api.requests.suffix(2).map { $0.headers["Authorization"] } == ["Bearer first", "Bearer second"])
            try api.directory.file("token", " \n")
            await expectError(.clusterConfig, "there is no token in ") { try await client.web() }
            await #expect(throws: EscaleError.self) { try await api.client(user: "token: \"a\\r\\nX-Other: b\"").web() }
        }
    }

    // MARK: What is answered

    struct Refusal: Sendable, CustomTestStringConvertible {
        let answer: HTTPResponse
        let code: EscaleError.Code
        let words: [String]
        var testDescription: String { "\(answer.status) \(words)" }
    }

    private static let conflicts = [("kubectl", ".spec.replicas"), ("hpa", ".spec.paused")].map {
        #"{"reason":"FieldManagerConflict","message":"conflict with \"\#($0.0)\" using apps/v1","field":"\#($0.1)"}"#
    }.joined(separator: ",")
    private static let mistakes = #"{"causes":[{"field":"spec.replicas","message":"must be positive"},{"message":"something else"}]}"#

    @Test(arguments: [
        Refusal(answer: .status(401, "Unauthorized"), code: .init("cluster.unauthorized"), words: ["the cluster of shop doesn't know you", "log in again"]),
        Refusal(
            answer: .status(403, #"deployments.apps \"web\" is forbidden: User \"bob\" cannot patch"#), code: .clusterForbidden,
            words: ["can't apply Deployment/web: deployments.apps \"web\" is forbidden: User \"bob\" cannot patch", "that right"]),
        Refusal(answer: .status(404, "namespaces shop not found"), code: .clusterNotFound, words: ["can't apply Deployment/web: namespaces shop not found"]),
        Refusal(
            answer: .status(409, "Apply failed with 2 conflicts", details: "{\"causes\":[\(conflicts)]}"), code: .clusterConflict,
            words: [
                "Apply failed with 2 conflicts", ".spec.replicas: conflict with \"kubectl\" using apps/v1",
                ".spec.paused: conflict with \"hpa\" using apps/v1",
            ]),
        Refusal(
            answer: .status(422, "web is invalid", details: mistakes), code: .clusterInvalid,
            words: ["web is invalid", "spec.replicas: must be positive", "something else"]),
        Refusal(answer: .status(400, "unknown field"), code: .clusterInvalid, words: ["unknown field"]),
        Refusal(answer: .status(415, "unknown format"), code: .init("cluster.failed"), words: ["unknown format"]),
        Refusal(
            answer: .status(503, "etcd is away", headers: ["Retry-After": "0"]), code: .init("cluster.failed"),
            words: ["can't apply Deployment/web: etcd is away"]),
        Refusal(answer: .json("", 302, headers: ["Location": "https://login.example/"]), code: .init("cluster.failed"), words: ["it answered 302"]),
        Refusal(answer: .text(.forbidden, "blocked by the firewall\nmore"), code: .clusterForbidden, words: ["it answered 403: blocked by the firewall\n"]),
        Refusal(answer: .json("<html>", 413), code: .init("cluster.failed"), words: ["it answered 413\n"]),
        Refusal(answer: .json("[]", 409), code: .clusterConflict, words: ["it answered 409"]),
    ])
    func isRefused(refusal: Refusal) async throws {
        try await FakeAPI.with { _, _ in refusal.answer } _: { api in
            let client = try api.client(user: "token: SECRET")
            let deployments = try #require(try await client.resource("Deployment", in: ["apps/v1"]))
            let error = await expectError(refusal.code) {
                _ = try await client.apply(Self.manifest, deployments, "web", namespace: "shop", manager: "escale", force: false)
            }
            let text = error?.rendered() ?? ""
            for words in refusal.words { #expect(text.contains(words), "\(words) is not in:\n\(text)") }
            #expect(!text.contains("SECRET"))
            #expect(api.requests.count == (refusal.answer.status == .serviceUnavailable ? 5 : 1))
        }
    }

    @Test func whatIsNotThereIsNoError() async throws {
        try await FakeAPI.with { _, _ in .status(404, "not found") } _: { api in
            let client = try api.client()
            #expect(try await client.web() == false)
            try await client.delete(try #require(try await client.resource("Deployment", in: ["apps/v1"])), "web", namespace: "shop")
        }
    }

    @Test(arguments: ["", "nothing", "{\"kind\":", "[1,2", "{\"a\":1}{\"b\":2}", "<html></html>", "\"\\ud800"])
    func whatIsNoJSONIsNoCluster(body: String) async throws {
        try await FakeAPI.with { _, _ in .json(body) } _: { api in
            await expectError(.init("cluster.answer"), "127.0.0.1 doesn't speak the Kubernetes API", "is shop the right context") {
                try await api.client().web()
            }
        }
    }

    // MARK: Asking again

    @Test(arguments: [429, 500, 502, 503, 504])
    func whatPassesIsAskedAgain(code: Int) async throws {
        try await FakeAPI.with { _, before in before < 2 ? .status(code, "wait", headers: ["Retry-After": "0"]) : .object } _: { api in
            let client = try api.client()
            #expect(try await client.web())
            #expect(api.requests.count == 3)
        }
    }

    @Test func theServerSaysWhen() async throws {
        try await FakeAPI.with { _, before in before < 1 ? .status(429, "wait", headers: ["Retry-After": "1"]) : .object } _: { api in
            let begin = ContinuousClock.now
            let client = try api.client()
            #expect(try await client.web())
            #expect(ContinuousClock.now - begin > .milliseconds(950))
        }
    }

    @Test func aBrokenAnswerIsAskedForAgain() async throws {
        try await FakeAPI.with { _, before in
            guard before < 2 else { return .object }
            return .stream { writer in
                try await writer.write(Array("{\"kind\":".utf8))
                throw CancellationError()
            }
        } _: { api in
            let client = try api.client()
            #expect(try await client.web())
            #expect(api.requests.count == 3)
        }
    }

    @Test func thereIsAnEnd() async throws {
        try await FakeAPI.with { _, _ in .stream { _ in throw CancellationError() } } _: { api in
            await expectError(.clusterUnreachable, "can't get Deployment/web: the cluster of shop is not to be reached", "broke off") {
                try await api.client().web()
            }
            #expect(api.requests.count == 5)
        }
    }

    @Test func aCancelledCallEnds() async throws {
        try await FakeAPI.with { _, _ in
            try? await Task.sleep(for: .seconds(30))
            return .object
        } _: { api in
            let client = try api.client()
            let task = Task { try await client.web() }
            try await Task.sleep(for: .milliseconds(200))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    // MARK: Lists and versions

    @Test func aListComesInPages() async throws {
        try await FakeAPI.with { request, _ in
            let page = request.query["continue"].flatMap { Int($0) } ?? 0
            let items = (0..<3).map { #"{"metadata":{"name":"o\#(page * 3 + $0)"}}"# }.joined(separator: ",")
            return .json(#"{"metadata":{"continue":"\#(page < 4 ? "\(page + 1)" : "")"},"items":[\#(items)]}"#)
        } _: { api in
            let client = try api.client()
            let deployments = try #require(try await client.resource("Deployment", in: ["apps/v1"]))
            let found = try await client.list(deployments, namespace: "shop", labels: ["a": "b"])
            #expect(found.map { $0.value(at: "metadata", "name")?.stringValue } == (0..<15).map { "o\($0)" })
            #expect(found.allSatisfy { $0["apiVersion"] == "apps/v1" && $0["kind"] == "Deployment" })
            #expect(api.requests.count == 5)
            #expect(api.requests.allSatisfy { $0.query["labelSelector"] == "a=b" && $0.query["limit"] == "500" })
        }
    }

    @Test func aListThatIsTooOldBeginsAnew() async throws {
        try await FakeAPI.with { _, before in
            switch before {
            case 0: .json(#"{"metadata":{"continue":"x"},"items":[{"metadata":{"name":"old"}}]}"#)
            case 1: .status(410, "The provided continue parameter is too old")
            default: .json(#"{"metadata":{},"items":[{"metadata":{"name":"new"}}]}"#)
            }
        } _: { api in
            let client = try api.client()
            let deployments = try #require(try await client.resource("Deployment", in: ["apps/v1"]))
            #expect(try await client.list(deployments, namespace: "shop").map { $0.value(at: "metadata", "name") } == ["new"])
        }
    }

    @Test func eventsAreInTheirOrder() async throws {
        let items = [("B", "2026-01-02T00:00:00Z"), ("A", "2026-01-01T00:00:00Z"), ("C", "2026-01-03T00:00:00Z")].map {
            #"{"reason":"\#($0.0)","message":"m","lastTimestamp":"\#($0.1)"}"#
        }.joined(separator: ",")
        try await FakeAPI.with { _, _ in .json(#"{"items":[\#(items),{"reason":"D"}]}"#) } _: { api in
            let client = try api.client()
            #expect(try await client.events(kind: "Pod", name: "web", namespace: "shop") == ["D: ", "A: m", "B: m", "C: m"])
        }
    }

    @Test func theFirstVersionThatIsThereIsTaken() async throws {
        try await FakeAPI.with(discovers: false) { request, _ in
            switch request.encodedPath {
            case "/apis/batch/v1":
                .json(#"{"resources":[{"name":"jobs/status","kind":"CronJob"},{"name":"jobs","kind":"Job","namespaced":true},{"kind":"Odd"}]}"#)
            case "/apis/batch/v1beta1": .json(#"{"resources":[{"name":"cronjobs","kind":"CronJob","namespaced":true}]}"#)
            case "/apis/other/v1": .status(403, "forbidden")
            default: .text(.notFound, "404 page not found")
            }
        } _: { api in
            let client = try api.client()
            for _ in 0..<2 {
                let found = try #require(try await client.resource("CronJob", in: ["batch/v2", "batch/v1", "batch/v1beta1"]))
                #expect(found.apiVersion == "batch/v1beta1" && found.plural == "cronjobs" && found.isNamespaced)
                #expect(try await client.resource("Job", in: ["batch/v1"])?.plural == "jobs")
                #expect(try await client.resource("Odd", in: ["batch/v1"]) == nil)
                #expect(try await client.resource("Rollout", in: ["argoproj.io/v1alpha1"]) == nil)
            }
            // Each is asked for once.
            #expect(api.requests.count == 4)
            await expectError(.clusterForbidden, "ask what other/v1 has") { _ = try await client.resource("X", in: ["other/v1"]) }
            await expectError(.init("cluster.answer"), "doesn't speak the Kubernetes API") { _ = try await client.resource("Pod", in: ["v1"]) }
        }
    }
}

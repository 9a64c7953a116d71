import EscaleCluster
import EscaleCompose
import EscaleCore
import EscaleHTTP
import EscaleKubernetes
import EscaleRelease
import EscaleYAML
import FoundationEssentials
import Testing

@Suite struct ReleaseRecordTests {
    private static func deployment(_ version: String) -> KubernetesObject {
        var object = KubernetesObject(
            "apps/v1", "Deployment", "web",
            [
                "spec": .object([
                    "replicas": 3, "selector": .object(["matchLabels": .texts(["app.kubernetes.io/name": "web"])]),
                    "template": .object([
                        "metadata": .object(["labels": .texts(["app.kubernetes.io/name": "web"])]),
                        "spec": .object(["containers": .list([.object(["name": "web", "image": .string("web:\(version)")])])]),
                    ]),
                ])
            ])
        object.service = "web"
        object.labels = ["app.kubernetes.io/instance": "shop"]
        var service = Service(name: ServiceName(rawValue: "web"))
        service.replicas = 3
        service.release.strategy = .canary
        object.plan = WorkloadPlan(
            service: service.name, terms: ReleaseTerms(service), replicas: 3, after: [ServiceName(rawValue: "db")], awaited: [], port: 8080)
        return object
    }

    private static let secret = KubernetesObject("v1", "Secret", "key", ["stringData": .object(["key": "very secret"])])

    private func project(_ api: FakeAPI) throws -> ClusterProject { ClusterProject(client: try api.client(), name: "shop", namespace: "shop") }

    /// What is written down is read again as it was, whatever the order of keys, and no Secret is in it.
    @Test func aReleaseIsReadAsItWasWritten() async throws {
        try await FakeAPI.with { _, _ in HTTPResponse(.notFound) } _: { api in
            let project = try project(api)
            let objects = [Self.deployment("1"), Self.secret]
            let record = try ReleaseLedger(project).draft(4, objects, state: "running")
            #expect(record.objects == [Self.deployment("1")])
            #expect(record.images == ["web=web:1"])
            #expect(record.isSame(as: objects, in: project))
            #expect(record.isSame(as: [Self.deployment("1")], in: project))
            #expect(!record.isSame(as: [Self.deployment("2")], in: project))
            #expect(!record.isOpen, "nothing is to be done for it")
        }
    }

    @Test func theSecondDeploymentHasPodsOfItsOwn() throws {
        let next = ReleaseGround.variant(of: Self.deployment("2"), at: "web-next", replicas: 1)
        let spec = try #require(next.content.first { $0.key == "spec" }?.value)
        let labels = ["app.kubernetes.io/name": "web", "escale.dev/track": "next"]
        #expect(next.name == "web-next" && next.labels["escale.dev/track"] == "next")
        #expect(spec["replicas"] == 1)
        #expect(spec.value(at: "selector", "matchLabels")?.sorted == YAMLValue.texts(labels)?.sorted)
        #expect(spec.value(at: "template", "metadata", "labels")?.sorted == YAMLValue.texts(labels)?.sorted)
        #expect(spec.value(at: "template", "spec") == Self.deployment("2").content.first { $0.key == "spec" }?.value.value(at: "template", "spec"))
        let home = ReleaseGround.variant(of: Self.deployment("2"), at: "web", replicas: 3)
        #expect(home == Self.deployment("2"), "in its own place it is what the manifest says")
    }

    @Test func aRoutesReferencesGetWeights() {
        func route(_ references: [YAMLValue]) -> KubernetesObject {
            KubernetesObject(
                "gateway.networking.k8s.io/v1", "HTTPRoute", "web",
                ["spec": .object(["hostnames": .strings(["shop.example"]), "rules": .list([.object(["backendRefs": .list(references)])])])])
        }
        let other = YAMLValue.object(["name": "other", "port": 80])
        func side(_ name: String, _ weight: Int) -> YAMLValue { .object(["name": .string(name), "port": 8080, "weight": .number(weight)]) }
        let made = ReleaseGround.weighted(
            route([.object(["name": "web", "port": 8080]), other]), from: "web", to: [("web-current", 90), ("web-next", 10)])
        #expect(made == route([side("web-current", 90), side("web-next", 10), other]))
    }

    // MARK: Pods

    private static func tree(_ text: String) throws -> YAMLValue { try JSONDecoder().decode(YAMLValue.self, from: Data(text.utf8)) }

    @Test(arguments: [
        ("{}", nil),
        (#"{"containerStatuses": [{"name": "web", "restartCount": 0, "state": {"running": {}}}]}"#, nil),
        (#"{"containerStatuses": [{"name": "web", "restartCount": 1, "state": {"running": {}}}]}"#, "web ended by itself"),
        (#"{"containerStatuses": [{"name": "web", "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}]}"#, "web ended by itself"),
        (#"{"containerStatuses": [{"name": "web", "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}}]}"#, nil),
        (#"{"containerStatuses": [{"name": "web", "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull"}}}]}"#, nil),
        (#"{"containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}"#,
            "web: ImagePullBackOff: no such image"),
        (#"{"initContainerStatuses": [{"name": "wait", "restartCount": 2, "state": {"running": {}}}]}"#, nil),
        (#"{"phase": "Failed", "message": "evicted"}"#, "evicted"),
    ])
    func whyAPodHasFailed(status: String, why: String?) throws {
        let pod = YAMLValue.object(["status": try Self.tree(status)])
        #expect(PodTrouble.failure(of: pod) == why)
    }

    @Test func aPodThatIsToldToGoIsNotReady() throws {
        let status = try Self.tree(#"{"conditions": [{"type": "Ready", "status": "True"}]}"#)
        #expect(PodTrouble.isReady(.object(["status": status])))
        #expect(!PodTrouble.isReady(.object(["metadata": .object(["deletionTimestamp": "2026-11-28T10:00:00Z"]), "status": status])))
        #expect(!PodTrouble.isReady(.object(["status": .object(["conditions": .list([])])])))
    }
}

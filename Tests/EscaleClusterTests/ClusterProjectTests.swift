import EscaleCluster
import EscaleCore
import EscaleKubernetes
import EscaleTestExpectations
import EscaleYAML
import Testing

/// A project's objects in a cluster: whose they are, what becomes of them, what differs.
@Suite struct ClusterProjectTests {
    private func object(_ kind: String, _ name: String, _ data: [String: String] = ["a": "1"], of project: ClusterProject) -> KubernetesObject {
        let version = kind == "Deployment" ? "apps/v1" : kind == "CronJob" ? "batch/v1" : "v1"
        var object = KubernetesObject(version, kind, name, ["data": .texts(data)])
        object.labels = project.labels
        return object
    }

    /// Applies all, as what is there says.
    private func apply(_ objects: [KubernetesObject], _ project: ClusterProject) async throws -> [ClusterProject.Change] {
        let placed = try await project.placed(objects)
        let live = try await project.live(placed)
        var changes: [ClusterProject.Change] = []
        for item in placed { changes.append(try await project.apply(item, over: live["\(item.object)"])) }
        return changes
    }

    @Test func whatIsAlreadySoIsUnchanged() async throws {
        try await FakeStore.with { store, project in
            var objects = [object("Namespace", "prod", of: project), object("ConfigMap", "a", of: project), object("Deployment", "web", of: project)]
            var changes = [try await apply(objects, project), try await apply(objects, project)]
            objects[1] = object("ConfigMap", "a", ["a": "2"], of: project)
            objects[0] = object("Namespace", "prod", ["b": "1"], of: project)
            changes.append(try await apply(objects, project))
            #expect(changes == [[.created, .created, .created], [.unchanged, .unchanged, .unchanged], [.unchanged, .configured, .unchanged]])
            // A namespace that is there is never touched.
            #expect(store.changes.filter { $0 == "PATCH namespaces/prod" }.count == 1)
        }
    }

    @Test func whatIsSomebodyElsesIsLeftAlone() async throws {
        try await FakeStore.with { store, project in
            let other = ClusterProject(client: project.client, name: "blog", namespace: "prod")
            _ = try await apply([object("ConfigMap", "a", of: other), object("Secret", "b", of: other), object("Namespace", "prod", of: other)], other)
            let before = store.changes
            let objects = ["a", "c"].map { object("ConfigMap", $0, of: project) } + [object("Secret", "b", of: project), object("Namespace", "prod", of: project)]
            await expectError(.init("cluster.foreign"), "ConfigMap/a, Secret/b in the namespace prod are not of this project", "--namespace") {
                _ = try await apply(objects, project)
            }
            #expect(store.changes == before)
            #expect(try await project.all().isEmpty)
            #expect(try await project.removeNamespace() == false)
            #expect(try await other.removeNamespace() == true)
        }
    }

    @Test func aKindIsTakenInTheVersionThatIsThere() async throws {
        for (isOld, version) in [(false, "batch/v1"), (true, "batch/v1beta1")] {
            try await FakeStore.with(isOld: isOld) { _, project in
                let placed = try await project.placed([object("CronJob", "nightly", of: project)])
                #expect(placed.map(\.object.apiVersion) == [version])
                await expectError(.init("cluster.kind"), "no HTTPRoute (gateway.networking.k8s.io/v1", "--routes ingress") {
                    _ = try await project.placed([KubernetesObject("gateway.networking.k8s.io/v1", "HTTPRoute", "web", [:])])
                }
            }
        }
    }

    @Test func whatIsNoLongerWantedIsLeftOver() async throws {
        try await FakeStore.with { store, project in
            let objects = [
                object("ConfigMap", "a", of: project), object("ConfigMap", "b", of: project), object("Deployment", "web", of: project),
                object("PersistentVolumeClaim", "data", of: project), object("ConfigMap", "escale-release-1", of: project),
            ]
            _ = try await apply(objects, project)
            // A controller copied the labels of one of ours.
            let copy = try #require(try await project.placed([object("ConfigMap", "copy", of: project)]).first)
            _ = try await project.client.apply(
                copy.object.manifest(namespace: "prod"), copy.resource, "copy", namespace: "prod", manager: "controller", force: true)

            let left = try await project.leftovers(besides: [objects[0]])
            #expect(left.map { "\($0.object)" } == ["ConfigMap/b", "Deployment/web"])
            for item in left { try await project.remove(item) }
            for item in left { try await project.remove(item) }
            #expect(store.names == ["configmaps/a", "configmaps/copy", "configmaps/escale-release-1", "persistentvolumeclaims/data"])
        }
    }

    @Test func differencesAreTheServersOwn() async throws {
        try await FakeStore.with { store, project in
            let before = [object("ConfigMap", "a", ["k": "1", "gone": "x"], of: project), object("Secret", "s", ["p": "SECRET"], of: project)]
            _ = try await apply(before + [object("ConfigMap", "old", of: project)], project)
            #expect(try await project.differences(try await project.placed(before + [object("ConfigMap", "old", of: project)])).isEmpty)
            let changes = store.changes
            let after = [
                object("ConfigMap", "a", ["k": "2", "new": "y"], of: project), object("Secret", "s", ["p": "SECRET2"], of: project),
                object("Deployment", "web", of: project),
            ]
            let found = try await project.differences(try await project.placed(after))
            #expect(
                found.map { "\($0.object) \($0.path): \($0.old ?? "-") → \($0.new ?? "-")" } == [
                    "ConfigMap/a data.gone: x → -", "ConfigMap/a data.k: 1 → 2", "ConfigMap/a data.new: - → y",
                    "Secret/s data.p: (a value) → (another value)", "Deployment/web : - → to be made", "ConfigMap/old : to be removed → -",
                ])
            #expect(!"\(found)".contains("SECRET"))
            #expect(store.changes == changes)
        }
    }
}

import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// What somebody tells a release under way, and the ways past the weights.
@Suite struct ReleaseCommandTests {
    @Test("a canary waits at a manual step with its share of the traffic, and goes on with promote")
    func manualStep() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.release = "strategy: canary, steps: [{weight: 50, pause: manual}]"
            let project = try escale.project()
            try await project.begin(site)
            site.version = "two"
            let waiting = try await project.release(site).ok()
            #expect(waiting.errors.contains("release 2 is paused"), "\(waiting)")
            #expect(waiting.errors.contains("escale release promote"), "\(waiting)")

            let client = TrafficClient(site.port, .newConnections)
            let record = try await poll(until: { $0.requests >= 100 }) { client.soFar }
            let share = record.count(of: "two") * 100 / max(1, record.requests)
            #expect((30...70).contains(share), "50 % is \(share) %")
            #expect(try await project.shown(2).changes.first?.new?.weight == 50)

            try await project.escale("release", "promote").ok()
            try await project.settles(2)
            #expect(try await project.hasOneVersion(replicas: 2) == 2)
            #expect(try await client.stop().failures.isEmpty)
            let over = try await project.escale("release", "promote").failed()
            #expect(over.errors.contains("no release of project app is under way"), "\(over)")
        }
    }

    @Test("the override's header and cookie choose the version during a canary")
    func override() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.replicas = 1
            site.release = "strategy: canary, steps: [{weight: 1, pause: manual}]"
            let project = try escale.project()
            try await project.begin(site)
            site.version = "two"
            try await project.release(site).ok()
            for (choice, text) in [("new", "two"), ("old", "one")] {
                let header = ["X-Escale-Release": choice]
                let cookie = ["Cookie": "a=b; escale-release=\(choice)"]
                for _ in 0..<10 {
                    #expect(try await HTTPProbe.ask(site.port, headers: header).body == text)
                    #expect(try await HTTPProbe.ask(site.port, headers: cookie).body == text)
                }
            }
            try await project.escale("release", "abort").ok()
            try await project.settles(2, .rolledBack)
            #expect(try await HTTPProbe.ask(site.port, headers: ["X-Escale-Release": "new"]).body == "one")
        }
    }

    @Test("the preview port of blue-green shows the new version while everybody gets the old one")
    func preview() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            let preview = try FreePort.take()
            site.release = "strategy: blue-green, promote: manual, keep: 100ms, preview: {port: \(preview)}"
            let project = try escale.project()
            try await project.begin(site)
            let client = TrafficClient(site.port, .newConnections)
            site.version = "two"
            try await project.release(site).ok()
            for _ in 0..<10 { #expect(try await HTTPProbe.ask(preview).body == "two") }
            try await Task.sleep(for: .milliseconds(200))
            #expect(client.soFar.bodies == ["one"])
            try await project.escale("release", "promote").ok()
            try await project.settles(2)
            #expect(try await HTTPProbe.ask(site.port).body == "two")
            #expect(try await project.hasOneVersion(replicas: 2) == 2)
            #expect(try await client.stop().failures.isEmpty)
        }
    }

    @Test("a paused release stays as it is until it is resumed; an aborted one is undone")
    func pauseResumeAbort() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.update = "monitor: 50ms, delay: 500ms"
            site.replicas = 3
            let project = try escale.project()
            try await project.begin(site)
            let callers = Callers(site)

            site.version = "two"
            try await project.release(site, "--no-wait").ok()
            _ = try await seesGeneration(2, project)
            try await project.escale("release", "pause").ok()
            // What was begun is finished, such as the end of a replica that drains.
            var before = Set(try await standing(project))
            var quiet = 0
            while quiet < 15 {
                try await Task.sleep(for: .milliseconds(200))
                let now = Set(try await standing(project))
                quiet = now == before ? quiet + 1 : 0
                before = now
            }
            try await Task.sleep(for: .milliseconds(900))
            #expect(Set(try await standing(project)) == before, "it went on")
            #expect(try await project.releases().first?.state == .paused)
            try await project.escale("release", "resume").ok()
            try await project.settles(2)
            try await callers.see("two")

            site.version = "three"
            try await project.release(site, "--no-wait").ok()
            _ = try await seesGeneration(3, project)
            try await project.escale("release", "abort").ok()
            let undone = try await project.settles(3, .rolledBack)
            #expect(undone.reason == "aborted by hand")
            #expect(try await project.hasOneVersion(replicas: 3) == 2)
            try await callers.see("two")
            try await callers.stop()
        }
    }

    @Test("going back while the former version is warm takes no start of a container")
    func warmRollback() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site(plain: true)
            site.release = "strategy: blue-green, keep: 60s"
            let project = try escale.project()
            try await project.begin(site)
            let old = Set(try await project.containers().map(Identity.init))
            let callers = Callers(site)

            site.version = "two"
            try await project.release(site).ok()
            try await callers.see("two")
            #expect(try await project.containers().count == 4)
            try await project.escale("rollback").ok()
            try await callers.see("one")
            let standing = Set(try await project.containers().map(Identity.init))
            #expect(old.isSubset(of: standing), "\(standing)")
            #expect(standing.count <= 4, "\(standing)")
            try await callers.stop()
        }
    }

    @Test("aborting blue-green while it is watched brings the old version back at once")
    func abortWatched() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site(plain: true)
            site.update = "monitor: 60s"
            site.release = "strategy: blue-green"
            let project = try escale.project()
            try await project.begin(site)
            let old = Set(try await project.containers().map(Identity.init))
            let callers = Callers(site)
            site.version = "two"
            try await project.release(site, "--no-wait").ok()
            try await callers.see("two")
            try await project.escale("release", "abort").ok()
            try await callers.see("one")
            try await project.settles(2, .rolledBack)
            try await project.hasOneVersion(replicas: 2)
            #expect(Set(try await project.containers().map(Identity.init)) == old)
            try await callers.stop()
        }
    }

    private func standing(_ project: TestProject) async throws -> [Identity] {
        try await project.containers().filter { $0.state == .running }.map(Identity.init)
    }

    private func seesGeneration(_ number: Int, _ project: TestProject) async throws -> [ContainerSummary] {
        try await poll(until: { $0.contains { $0.generation == number && $0.state == .running } }) {
            try await project.containers()
        }
    }
}

import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// A new version takes the place of the old one, and nobody who asks notices.
@Suite struct ReleaseTests {
    @Test(
        "no request fails while a new version takes over, nor on the way back",
        arguments: [
            ("rolling", ""), ("blue-green", "strategy: blue-green, keep: 100ms"),
            ("canary", "strategy: canary, steps: [{weight: 30, pause: 300ms}]"),
        ]
    )
    func noFailure(kind: String, settings: String) async throws {
        try await EscaleFixture.with { escale in
            var site = try Site(plain: true)
            site.release = settings
            let project = try escale.project()
            try await project.begin(site)
            let callers = Callers(site)
            try await callers.see("one")

            site.version = "two"
            try await project.release(site).ok()
            try await callers.see("two")
            #expect(try await project.hasOneVersion(replicas: 2) == 2)

            try await project.escale("rollback").ok()
            try await callers.see("one")
            #expect(try await project.hasOneVersion(replicas: 2) != 2)
            let records = try await callers.stop()
            for record in records {
                #expect(record.bodies == ["one", "two"], "\(record.runs)")
                #expect(record.longest < .seconds(1), "somebody waited for \(record.longest)")
            }

            let releases = try await project.releases()
            #expect(releases.map(\.number) == [3, 2, 1])
            #expect(releases.allSatisfy { $0.state == .succeeded }, "\(releases)")
            #expect(releases.map(\.isCurrent) == [true, false, false])
            #expect(releases[0].trigger == "rollback to 1")
            let shown = try await project.shown(2)
            #expect(shown.changes.map(\.kind) == [kind])
            #expect(shown.texts.contains("release 2 succeeded"), "\(shown.texts)")
        }
    }

    @Test("`rollback N` goes to any release that is kept, and `release diff` says what that changes")
    func rollbackToNumber() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.replicas = 1
            let project = try escale.project()
            try await project.begin(site)
            for version in ["two", "three"] {
                site.version = version
                try await project.release(site).ok()
            }
            let difference = try await project.escale("release", "diff", "1").ok()
            #expect(difference.output.contains("one") && difference.output.contains("three"), "\(difference)")
            try await project.escale("rollback", "1").ok()
            #expect(try await HTTPProbe.ask(site.port).body == "one")
            try await project.escale("rollback", "2").ok()
            #expect(try await HTTPProbe.ask(site.port).body == "two")
            let missing = try await project.escale("rollback", "99").failed()
            #expect(missing.errors.contains("has no release 99"), "\(missing)")
        }
    }

    @Test("up with an unchanged file makes no release and changes no container")
    func unchanged() async throws {
        try await EscaleFixture.with { escale in
            let site = try Site()
            let project = try escale.project()
            try await project.begin(site)
            let before = try await project.containers()
            try await project.release(site).ok()
            #expect(try await project.releases().count == 1)
            #expect(Set(try await project.containers().map(Identity.init)) == Set(before.map(Identity.init)))
        }
    }

    @Test("more replicas of the same version are no release")
    func scaling() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.replicas = 1
            let project = try escale.project()
            try await project.begin(site)
            site.replicas = 3
            try await project.release(site).ok()
            #expect(try await project.hasOneVersion(replicas: 3) == 1)
            #expect(try await project.releases().count == 1)
        }
    }

    @Test("a newer up takes over from a release under way")
    func supersedes() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.update = "monitor: 100ms, delay: 30s"
            let project = try escale.project()
            try await project.begin(site)
            let callers = Callers(site)

            site.version = "two"
            try await project.release(site, "--no-wait").ok()
            _ = try await poll(until: { $0.contains { $0.generation == 2 && $0.state == .running } }) {
                try await project.containers()
            }
            site.version = "three"
            site.update = "monitor: 100ms"
            try await project.release(site).ok()
            try await callers.see("three")
            try await callers.stop()
            #expect(try await project.hasOneVersion(replicas: 2) == 3)
            #expect(try await project.releases().map(\.state) == [.succeeded, .superseded, .succeeded])
        }
    }

    @Test("an up to the version before takes over from a release under way and undoes it")
    func supersededByOld() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.release = "strategy: canary, steps: [{weight: 50, pause: manual}]"
            let project = try escale.project()
            try await project.begin(site)
            let callers = Callers(site)
            let old = site
            site.version = "two"
            try await project.release(site).ok()
            try await project.release(old).ok()
            #expect(try await project.hasOneVersion(replicas: 2) == 1)
            try await callers.see("one")
            try await callers.stop()
        }
    }

    @Test("--no-wait returns while the release goes on, and says so; watch follows it to its end")
    func noWait() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.update = "monitor: 700ms"
            let project = try escale.project()
            try await project.begin(site)
            site.version = "two"
            let begun = try await project.release(site, "--no-wait").ok()
            #expect(begun.errors.contains("release 2 goes on"), "\(begun)")
            #expect(try await project.releases().first?.state == .running)
            let watched = try await project.escale("release", "watch").ok()
            #expect(watched.output.contains("succeeded"), "\(watched)")
            #expect(try await HTTPProbe.ask(site.port).body == "two")
        }
    }

    @Test("--strategy replaces the file's")
    func strategy() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.replicas = 1
            let project = try escale.project()
            try await project.begin(site)
            site.version = "two"
            try await project.release(site, "--strategy", "blue-green").ok()
            #expect(try await project.shown(2).changes.map(\.kind) == ["blue-green"])
            // The former version is still warm; the next release ends that.
            site.version = "three"
            try await project.release(site).ok()
            #expect(try await project.shown(3).changes.map(\.kind) == ["rolling"])
            #expect(try await project.hasOneVersion(replicas: 1) == 3)
        }
    }

    @Test("of two services the one that is depended on comes first")
    func order() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.replicas = 1
            site.more = ["depends_on: [store]"]
            site.others = Self.store("one")
            let project = try escale.project()
            try await project.begin(site)
            site.version = "two"
            site.others = Self.store("two")
            try await project.release(site).ok()
            let shown = try await project.shown(2)
            let done = shown.decisions.filter { $0.text == "done" }.compactMap { $0.service?.rawValue }
            #expect(done == ["store", "web"], "\(shown.texts)")
            let store = try await project.container("store")
            let web = try await project.container("web")
            #expect(try #require(store.startedAt) < #require(web.startedAt))
        }
    }

    private static func store(_ version: String) -> [String] {
        [
            "  store:", "    image: busybox", "    command: sleep 600", "    init: true",
            "    environment: {VERSION: \(version)}", "    deploy: {update_config: {monitor: 100ms}}",
        ]
    }
}

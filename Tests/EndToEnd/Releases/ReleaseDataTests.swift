import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// Releases of what has data: a volume that one version writes at a time, and migrations.
@Suite struct ReleaseDataTests {
    @Test("the one replica that writes a volume is stopped first, and requests wait for the next one")
    func stopFirst() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.replicas = 1
            site.script = "sleep 0.3; echo >> /data/starts"
            site.more = ["volumes: [\"data:/data\"]"]
            site.others = ["volumes: {data: {}}"]
            let project = try escale.project()
            try await project.begin(site)
            let client = TrafficClient(site.port, .newConnections, patience: .seconds(20))
            for version in ["two", "three"] {
                site.version = version
                try await project.release(site).ok()
                _ = try await poll(until: { $0.runs.last?.body == version }) { client.soFar }
                try await project.hasOneVersion(replicas: 1)
            }
            let record = try await client.stop()
            #expect(record.failures.isEmpty, "\(record.failures)")
            #expect(record.runs.map(\.body) == ["one", "two", "three"], "\(record.runs)")
            #expect(record.longest > .milliseconds(300), "nobody had to wait: is one stopped first?")
            #expect(try await project.shell("web", "wc -l < /data/starts") == "3")
            let kinds = try await project.events().map(\.kind).filter {
                ["container.started", "container.exited"].contains($0)
            }
            let (began, ended) = ("container.started", "container.exited")
            #expect(kinds == [began, ended, began, ended, began], "two versions ran at the same time")
        }
    }

    @Test("a migration runs once per release, before what depends on it")
    func migration() async throws {
        try await EscaleFixture.with { escale in
            var site = try Site()
            site.more = [
                "volumes: [\"data:/data:ro\"]",
                "depends_on: {migrate: {condition: service_completed_successfully}}",
            ]
            site.others = [
                "  migrate:", "    image: busybox", "    command: [\"sh\", \"-c\", \"sleep 0.2; echo >> /data/runs\"]",
                "    volumes: [\"data:/data\"]", "volumes: {data: {}}",
            ]
            site.version = "one $(wc -l < /data/runs)"
            let project = try escale.project()
            try await project.begin(site)
            let callers = Callers(site)
            try await callers.see("one 1")
            for (run, version) in [(2, "two"), (3, "three")] {
                site.version = "\(version) $(wc -l < /data/runs)"
                try await project.release(site).ok()
                try await callers.see("\(version) \(run)")
                #expect(try await project.shell("web", "wc -l < /data/runs") == "\(run)")
                let shown = try await project.shown(run)
                #expect(shown.changes.map(\.kind) == ["one-shot", "rolling"], "\(shown.texts)")
            }
            try await callers.stop()
            #expect(try await project.hasOneVersion(replicas: 2) == 3)
        }
    }
}

import EscaleAPI
import EscaleCLI
import EscaleCompose
import EscaleCore
import EscaleHTTP
import EscaleSystem
import FoundationEssentials
import Testing

@Suite("Listings")
struct ListingTests {
    private func containers() -> HTTPRoute {
        { _ in
            .value([
                ContainerSummary.sample(
                    "web",
                    health: .healthy,
                    age: .seconds(302),
                    ports: [.init(hostAddress: nil, hostPort: 8080, containerPort: 80, transport: .tcp)]
                ),
                ContainerSummary.sample("job", .exited, exitCode: 3, age: .seconds(125)),
                ContainerSummary.sample("api", .restarting, exitCode: 1, age: .seconds(61)),
            ])
        }
    }
    typealias HTTPRoute = FakeDaemon.Route

    private func run(_ words: [String], _ routes: [String: HTTPRoute]) async throws -> Outcome {
        try await FakeDaemon.serving(routes) { daemon in
            await Terminal().run(["--root", daemon.root.directory ?? "", "-p", "shop"] + words)
        }
    }

    @Test("ps shows what runs, with its state and ports")
    func running() async throws {
        let outcome = try await run(["ps"], ["GET /v1/projects/shop/containers": containers()])
        #expect(outcome.code == 0)
        #expect(
            outcome.output == """
                NAME         IMAGE      COMMAND                  SERVICE   CREATED         STATUS                   PORTS
                shop-web-1   shop-web   "/docker-entrypoint.…"   web       5 minutes ago   Up 5 minutes (healthy)   0.0.0.0:8080->80/tcp
                shop-api-1   shop-api   "/docker-entrypoint.…"   api       1 minute ago    Restarting (1)

                """
        )
    }

    @Test("ps -a shows what ended too")
    func all() async throws {
        let outcome = try await run(["ps", "-a", "job"], ["GET /v1/projects/shop/containers": containers()])
        #expect(outcome.output.contains("Exited (3) 2 minutes ago\n"))
        #expect(outcome.output.split(separator: "\n").count == 2)
    }

    @Test("ps names releases while a service has containers of two, and only then")
    func generations() async throws {
        func output(_ words: [String], old: ContainerSummary.State) async throws -> String {
            let list = [
                ContainerSummary.sample("web", slot: 1, generation: 6, old, exitCode: 0),
                .sample("web", slot: 2, generation: 7), .sample("api", generation: 5),
            ]
            let route: HTTPRoute = { _ in .value(list) }
            return try await run(words, ["GET /v1/projects/shop/containers": route]).output
        }
        let lines = try await output(["ps"], old: .running).split(separator: "\n")
        #expect(lines[0].contains("SERVICE   RELEASE   CREATED"))
        #expect(lines[1].contains("web       6    "))
        #expect(try await !output(["ps", "-a"], old: .exited).contains("RELEASE"))
        #expect(try await output(["ps", "--format", "json"], old: .exited).contains("\"generation\" : 7"))
        #expect(try await output(["ps", "--format", "yaml"], old: .exited).contains("  generation: 7\n"))
    }

    @Test("ps -q and --services print one name a line")
    func names() async throws {
        let routes = ["GET /v1/projects/shop/containers": containers()]
        #expect(try await run(["ps", "--services"], routes).output == "api\nweb\n")
        #expect(
            try await run(["ps", "-q", "web"], routes).output == String(repeating: "a1", count: 32) + "\n"
        )
    }

    @Test("JSON listings are arrays")
    func json() async throws {
        let outcome = try await run(
            ["ps", "-a", "--format", "json"],
            ["GET /v1/projects/shop/containers": containers()]
        )
        #expect(try JSONDecoder().decode([ContainerSummary].self, from: Data(outcome.output.utf8)).count == 3)
    }

    @Test("The reference page has exactly the names that JSON output can have")
    func fields() throws {
        let now = Timestamp.now
        let project = ProjectName(rawValue: "shop")
        var container = ContainerSummary.sample("web", .exited, health: .healthy, exitCode: 1)
        (container.pid, container.reason, container.failures, container.isOneOff) = (1, "ended", 3, true)
        let samples: [([String], any Encodable)] = [
            (["ps"], container),
            (["release", "ls"], ReleaseSummary.sample(7, .failed, reason: "db ended", took: .zero)),
            (["release", "diff"], ReleaseDifference(from: 1, to: 2, lines: [])),
            (["ls"], ProjectSummary(name: project, files: [], containers: 0, running: 0, failure: "")),
            (["image", "ls"], ImageSummary(id: "", names: [], size: ByteCount(0), createdAt: now)),
            (["events"], Event(at: now, project: project, kind: "", subject: "")),
            (
                ["system", "info"],
                SystemInfo(
                    version: "",
                    stateDirectory: "",
                    runtimeDirectory: "",
                    ociRuntime: "",
                    cgroups: "",
                    addressPool: "",
                    projects: 0,
                    containers: 0,
                    running: 0,
                    images: 0,
                    kernel: ""
                )
            ),
        ]
        for (path, sample) in samples {
            let data = try JSONEncoder().encode(sample)
            let names = try JSONDecoder().decode([String: AnyValue].self, from: data).keys.sorted()
            #expect(names == ReferencePage.fields(of: path).sorted(), "escale \(path.joined(separator: " "))")
        }
    }

    @Test("port prints where the host listens; the unpublished is an error that names what is published")
    func port() async throws {
        let routes = ["GET /v1/projects/shop/containers": containers()]
        #expect(try await run(["port", "web", "80"], routes).output == "0.0.0.0:8080\n")
        let missing = try await run(["port", "web", "81"], routes)
        #expect(missing.code == 1)
        #expect(
            missing.error
                == "error: port 81/tcp of web is not published\nhint: published: 0.0.0.0:8080->80/tcp\n"
        )
    }

    @Test("image ls has a line per name; ls sums up projects")
    func others() async throws {
        let image = ImageSummary(
            id: "sha256:" + String(repeating: "c3", count: 32),
            names: ["debian:12", "registry:5000/base"],
            size: ByteCount(123_456_789),
            createdAt: Timestamp.now + .seconds(-7200)
        )
        let project = ProjectSummary(
            name: ProjectName(rawValue: "shop"),
            files: ["/srv/compose.yaml"],
            containers: 3,
            running: 2
        )
        let routes: [String: HTTPRoute] = [
            "GET /v1/images": { _ in .value([image]) }, "GET /v1/projects": { _ in .value([project]) },
        ]
        #expect(
            try await run(["image", "ls"], routes).output == """
                REPOSITORY           TAG      IMAGE ID       CREATED       SIZE
                debian               12       c3c3c3c3c3c3   2 hours ago   123MB
                registry:5000/base   latest   c3c3c3c3c3c3   2 hours ago   123MB

                """
        )
        #expect(
            try await run(["ls"], routes).output == """
                NAME   STATUS                  CONFIG FILES
                shop   running(2), exited(1)   /srv/compose.yaml

                """
        )
        let stuck = ProjectSummary(
            name: ProjectName(rawValue: "shop"), files: [], containers: 1, running: 0, failure: "a file can't be removed")
        #expect(
            try await run(["ls"], ["GET /v1/projects": { _ in .value([stuck]) }]).output.contains(
                "shop   exited(1), failed: a file can't be removed"))
    }

    @Test("Logs carry aligned names; options leave them away or add times")
    func logs() async throws {
        let at = Timestamp(nanoseconds: 1_000_000_000)
        let records = [("web", "hello"), ("database", "ready")].map {
            LogRecord(
                container: "shop-\($0.0)-1",
                service: ServiceName(rawValue: $0.0),
                stream: .stdout,
                at: at,
                bytes: Array($0.1.utf8)
            )
        }
        let routes: [String: HTTPRoute] = ["GET /v1/projects/shop/logs": { _ in .lines(records) }]
        #expect(try await run(["logs"], routes).output == "web-1  | hello\ndatabase-1  | ready\n")
        #expect(
            try await run(["logs", "--no-log-prefix", "-t"], routes).output == """
                1970-01-01T00:00:01.000000000Z hello
                1970-01-01T00:00:01.000000000Z ready

                """
        )
    }

    @Test("What logs asks for is what the flags say")
    func logQuery() async throws {
        try await FakeDaemon.serving(["GET /v1/projects/shop/logs": { _ in .lines([]) }]) { daemon in
            let outcome = await Terminal().run(
                [
                    "--root", daemon.root.directory ?? "", "-p", "shop", "logs", "-fn", "5", "--since",
                    "2026-11-20T22:54:01Z", "a", "b",
                ])
            #expect(outcome.code == 0)
            let query = try #require(daemon.queries(of: "/v1/projects/shop/logs").first)
            #expect(query.all("service") == ["a", "b"])
            #expect(query["follow"] == "1")
            #expect(query["tail"] == "5")
            #expect(query["since"] == "2026-11-20T22:54:01.000000000Z")
        }
    }
}

/// Any JSON value; only its presence matters.
private struct AnyValue: Decodable {
    init(from decoder: any Decoder) {}
}

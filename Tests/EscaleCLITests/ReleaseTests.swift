import EscaleAPI
import EscaleCLI
import EscaleCore
import EscaleHTTP
import EscaleSystem
import EscaleTestExpectations
import FoundationEssentials
import Synchronization
import Testing

@Suite("escale release and rollback")
struct ReleaseTests {
    private func run(_ words: [String], _ routes: [String: FakeDaemon.Route]) async throws -> Outcome {
        try await FakeDaemon.serving(routes) { daemon in
            await Terminal().run(["--root", daemon.root.directory ?? "", "-p", "shop"] + words)
        }
    }

    private static let releases = [
        ReleaseSummary.sample(
            8,
            .rolledBack,
            reason: "web: error rate 12.5 % is above the limit of 1 % (100 requests)",
            createdAt: Timestamp.now + .seconds(-125),
            took: .seconds(93)
        ),
        .sample(
            7,
            .succeeded,
            isCurrent: true,
            createdAt: Timestamp.now + .seconds(-3700),
            took: .seconds(12)
        ),
        .sample(
            6,
            .succeeded,
            trigger: "rollback to 4",
            services: [.web],
            createdAt: Timestamp.now + .seconds(-7300),
            took: .milliseconds(3400)
        ),
    ]

    @Test("ls shows the newest first, marks the current one and cuts reasons")
    func list() async throws {
        let routes: [String: FakeDaemon.Route] = [
            "GET /v1/projects/shop/releases": { _ in .value(Self.releases) }
        ]
        let outcome = try await run(["release", "ls"], routes)
        #expect(outcome.code == 0)
        try expectGolden(outcome.output, "Tests/Golden/cli/release-ls.txt")
        #expect(try await run(["release", "ls", "-q"], routes).output == "8\n7\n6\n")
        let whole = try await run(["release", "ls", "--no-trunc"], routes).output
        #expect(whole.contains("1 % (100 requests)\n"))
    }

    @Test("show asks for the latest without a number; JSON has times of requests in seconds")
    func show() async throws {
        let routes: [String: FakeDaemon.Route] = [
            "GET /v1/projects/shop/releases/latest": { _ in .value(ReleaseDetail.sample()) },
            "GET /v1/projects/shop/releases/6": { _ in .value(ReleaseDetail.sample(number: 6)) },
        ]
        #expect(try await run(["release", "show"], routes).output.hasPrefix("Release 7: running\n"))
        #expect(try await run(["release", "show", "6"], routes).output.hasPrefix("Release 6: running\n"))
        let json = try await run(["release", "show", "--format", "json"], routes).output
        #expect(json.contains("\"p95\" : 0.012"))
        let yaml = try await run(["release", "show", "--format", "yaml"], routes).output
        #expect(yaml.contains("summary:\n  createdAt: "))
        #expect(yaml.contains("      weight: 90\n"))
    }

    @Test("diff prints attributes by service; what it asks for is what was given")
    func difference() async throws {
        let lines: [ReleaseDifference.Line] = [
            .init(service: .web, attribute: "image", old: "shop:1", new: "shop:2"),
            .init(service: .web, attribute: "environment.MODE", old: nil, new: "dark\nnight"),
            .init(service: .worker, attribute: "replicas", old: "2", new: nil),
        ]
        let routes: [String: FakeDaemon.Route] = [
            "GET /v1/projects/shop/releases/diff": { request in
                let same = request.query["from"] == "7"
                return .value(ReleaseDifference(from: same ? 7 : 6, to: 7, lines: same ? [] : lines))
            }
        ]
        try await FakeDaemon.serving(routes) { daemon in
            let base = ["--root", daemon.root.directory ?? "", "-p", "shop", "release", "diff"]
            let outcome = await Terminal().run(base)
            try expectGolden(outcome.output, "Tests/Golden/cli/release-diff.txt")
            #expect(await Terminal().run(base + ["7"]).output == "releases 7 and 7 do not differ\n")
            _ = await Terminal().run(base + ["5", "6"])
            let asked = daemon.queries(of: "/v1/projects/shop/releases/diff")
            #expect(asked.map { $0["from"] } == [nil, "7", "5"])
            #expect(asked.map { $0["to"] } == [nil, nil, "6"])
        }
    }

    @Test(
        "What a release is told is one request and one line",
        arguments: [
            ("promote", "release 7 goes on with its next step; see it with: escale release watch\n"),
            ("pause", "release 7 stays as it is; go on with: escale release resume\n"),
            ("resume", "release 7 goes on; see it with: escale release watch\n"),
            ("abort", "release 7 goes back to the version before; see it with: escale release watch\n"),
        ]
    )
    func tell(_ verb: String, _ line: String) async throws {
        let path = "/v1/projects/shop/releases/latest"
        try await FakeDaemon.serving(["POST \(path)": { _ in .value(ReleaseSummary.sample()) }]) { daemon in
            let outcome = await Terminal().run([
                "--root", daemon.root.directory ?? "", "-p", "shop", "release", verb,
            ])
            #expect(outcome.code == 0)
            #expect(outcome.output == line)
            let body = try #require(daemon.bodies(of: path).first)
            #expect(try JSONDecoder().decode(ReleaseCommand.self, from: Data(body)).action.rawValue == verb)
        }
    }

    @Test("What the daemon refuses ends with 1")
    func refused() async throws {
        let error = EscaleError(.init("release.none"), "no release runs", hint: "see `escale release ls`")
        let outcome = try await run(
            ["release", "abort"],
            ["POST /v1/projects/shop/releases/latest": { _ in .failure(error) }]
        )
        #expect(outcome.code == 1)
        #expect(outcome.error == "error: no release runs\nhint: see `escale release ls`\n")
    }

    /// A release that goes on from one watch to the next: each breaks off after one state.
    private func watched(
        _ states: [ReleaseDetail],
        _ words: [String],
        on terminal: Terminal = Terminal()
    ) async throws -> (outcome: Outcome, requests: [String]) {
        let count = Mutex(0)
        let routes: [String: FakeDaemon.Route] = [
            "GET /v1/projects/shop/releases/latest": { _ in .value(states[0]) },
            "GET /v1/projects/shop/releases/7/watch": { _ in
                let index = count.withLock { count in
                    count += 1
                    return min(count, states.count - 1)
                }
                return .lines([states[index]]) { if !states[index].summary.state.isTerminal { throw Cut() } }
            },
        ]
        return try await FakeDaemon.serving(routes) { daemon in
            let base = ["--root", daemon.root.directory ?? "", "-p", "shop", "release", "watch"]
            return (await terminal.run(base + words), daemon.requests)
        }
    }

    @Test("watch survives the daemon, stays with its release and ends with it")
    func watch() async throws {
        let (outcome, requests) = try await watched(
            [.sample(), .sample(weight: 50), .sample(weight: 50), .sample(.succeeded, weight: 100)],
            []
        )
        #expect(outcome.code == 0)
        #expect(outcome.error.isEmpty)
        let lines = outcome.output.split(separator: "\n").map {
            $0.split(separator: "  ").dropFirst().first ?? ""
        }
        #expect(
            lines.map { $0.prefix(20) } == [
                "release 7 running", "web canary, 10 %, tr", "worker rolling, done", "web canary, 50 %, tr",
                "release 7 succeeded", "web canary, 100 %, t",
            ]
        )
        #expect(requests.count == 4)
    }

    @Test(
        "A release that doesn't succeed ends watch with 1",
        arguments: [
            ReleaseSummary.State.rolledBack, .failed, .superseded,
        ]
    )
    func watchFails(_ state: ReleaseSummary.State) async throws {
        let (outcome, _) = try await watched([.sample(), .sample(state)], [])
        #expect(outcome.code == 1)
        #expect(outcome.error == "see all about it with: escale release show 7\n")
    }

    @Test("watch --format json prints each state in a line")
    func watchJSON() async throws {
        let (outcome, _) = try await watched([.sample(), .sample(.succeeded)], ["--format", "json"])
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.hasPrefix("{\"changes\":[{") })
    }

    @Test("On a terminal watch draws in place and leaves the last frame and the cursor")
    func watchScreen() async throws {
        let terminal = Terminal(Console.Device(isTerminal: true, colours: false), columns: 100)
        let (outcome, _) = try await watched([.sample(), .sample(.succeeded, weight: 100)], [], on: terminal)
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("Release 7  succeeded"))
        #expect(outcome.output.hasSuffix("\u{1B}[?25h"))
    }

    private static func result(_ state: ReleaseSummary.State, reason: String? = nil) -> StreamLine<UpResult> {
        let release = ReleaseSummary.sample(8, state, reason: reason, trigger: "rollback to 6")
        return .result(UpResult(changed: true, orphans: [], release: release))
    }

    @Test(
        "rollback shows progress and ends as its release does",
        arguments: [
            (ReleaseSummary.State.succeeded, Int32(0)), (.failed, 1),
        ]
    )
    func rollback(_ state: ReleaseSummary.State, _ code: Int32) async throws {
        let event = ProgressEvent("Release 8", .working, "Running", at: .now)
        let path = "/v1/projects/shop/rollback"
        try await FakeDaemon.serving([
            "POST \(path)": { _ in
                .lines([StreamLine<UpResult>.progress(event), Self.result(state, reason: "db ended")])
            }
        ]) { daemon in
            let outcome = await Terminal().run([
                "--root", daemon.root.directory ?? "", "-p", "shop", "rollback", "-y", "6",
            ])
            #expect(outcome.code == code)
            let problem = """
                error: release 8 did not succeed, it is failed: db ended
                hint: see what was decided with `escale release show 8`

                """
            #expect(outcome.error == " Release 8  Running\n" + (code == 0 ? "" : problem))
            let body = try #require(daemon.bodies(of: path).first)
            #expect(try JSONDecoder().decode(RollbackRequest.self, from: Data(body)).release == 6)
        }
    }

    @Test("A rollback without a number whose daemon is killed is followed, not asked for again")
    func rollbackOnce() async throws {
        let begun = Mutex(false)
        let routes: [String: FakeDaemon.Route] = [
            "GET /v1/projects/shop/releases": { _ in
                let new = begun.withLock { $0 } ? [ReleaseSummary.sample(8)] : []
                return .value(new + [.sample(7, .succeeded)])
            },
            "POST /v1/projects/shop/rollback": { _ in
                begun.withLock { $0 = true }
                return .lines([]) { throw Cut() }
            },
            "GET /v1/projects/shop/releases/8": { _ in .value(ReleaseDetail.sample(.succeeded, number: 8)) },
        ]
        try await FakeDaemon.serving(routes) { daemon in
            let outcome = await Terminal().run([
                "--root", daemon.root.directory ?? "", "-p", "shop", "rollback",
            ])
            #expect(outcome.code == 0)
            #expect(daemon.requests.count { $0.hasPrefix("POST") } == 1)
            #expect(outcome.error.hasSuffix(" Release 8  succeeded\n"))
        }
    }
}

import EscaleAPI
import EscaleCLI
import EscaleCompose
import EscaleCore
import EscaleHTTP
import EscaleSystem
import FoundationEssentials
import Glibc
import Synchronization
import Testing

@Suite("escale up and down")
struct UpTests {
    private static let result = StreamLine<UpResult>.result(UpResult(changed: true, orphans: ["shop-old-1"]))

    private func inProject(
        _ routes: [String: FakeDaemon.Route],
        _ body: (FakeDaemon, String) async throws -> Void
    ) async throws {
        try await FakeDaemon.serving(routes) { daemon in
            let directory = daemon.root.directory ?? ""
            let file = "name: shop\nservices:\n  web:\n    image: nginx\n  db:\n    image: postgres\n"
            try Files.write("\(directory)/compose.yaml", Array(file.utf8))
            try await body(daemon, directory)
        }
    }

    private func environment(_ directory: String) -> [String: String] { ["ESCALE_ROOT": directory] }

    @Test("up -d sends the project once and returns; orphans are told")
    func detached() async throws {
        try await inProject(["POST /v1/projects/shop/up": { _ in .lines([Self.result]) }]) {
            daemon,
            directory in
            let outcome = await Terminal().run(
                ["up", "-d", "--build", "--wait-timeout", "30", "web"],
                in: directory,
                environment: environment(directory)
            )
            #expect(outcome.code == 0)
            #expect(
                outcome.error
                    == "warning: containers of services that the file no longer has go on: shop-old-1; remove them with --remove-orphans\n"
            )
            #expect(daemon.requests == ["POST /v1/projects/shop/up"])
            let body = try #require(daemon.bodies(of: "/v1/projects/shop/up").first)
            let request = try JSONDecoder().decode(UpRequest.self, from: Data(body))
            #expect(request.services == [ServiceName(rawValue: "web")])
            #expect(request.build && !request.wait)
            #expect(request.waitTimeout == .seconds(30))
        }
    }

    @Test("An unknown service is refused before anything is sent")
    func unknownService() async throws {
        try await inProject([:]) { daemon, directory in
            let outcome = await Terminal().run(
                ["up", "-d", "wep"],
                in: directory,
                environment: environment(directory)
            )
            #expect(outcome.code == 1)
            #expect(
                outcome.error
                    == "error: there is no service \"wep\" in the project shop\nhint: did you mean web?\n"
            )
            #expect(daemon.requests.isEmpty)
        }
    }

    @Test("A failure is shown with its evidence and ends with 1")
    func failure() async throws {
        let error = EscaleError(
            .init("container.ended"),
            "web ended with exit code 3",
            hint: "see `escale logs web`",
            details: [.init("end of web-1's log", "no such table\nbye")]
        )
        try await inProject([
            "POST /v1/projects/shop/up": { _ in .lines([StreamLine<UpResult>.failure(error)]) }
        ]) { _, directory in
            let outcome = await Terminal().run(
                ["up", "-d"],
                in: directory,
                environment: environment(directory)
            )
            #expect(outcome.code == 1)
            #expect(
                outcome.error == """
                    error: web ended with exit code 3
                      end of web-1's log:
                        no such table
                        bye
                    hint: see `escale logs web`

                    """
            )
        }
    }

    @Test("What the flags say of the release goes along")
    func releaseFlags() async throws {
        try await inProject(["POST /v1/projects/shop/up": { _ in .lines([Self.released(.running)]) }]) {
            daemon,
            directory in
            let outcome = await Terminal().run(
                ["up", "--strategy", "blue-green", "--no-wait", "-y"],
                in: directory,
                environment: environment(directory)
            )
            #expect(outcome.code == 0)
            #expect(outcome.error == "release 7 goes on; see it with: escale release watch\n")
            let body = try #require(daemon.bodies(of: "/v1/projects/shop/up").first)
            let request = try JSONDecoder().decode(UpRequest.self, from: Data(body))
            #expect(request.strategy == .blueGreen && request.detachFromRelease)
        }
    }

    private static func released(_ state: ReleaseSummary.State) -> StreamLine<UpResult> {
        .result(UpResult(changed: true, orphans: [], release: .sample(7, state, reason: "p95 is too high")))
    }

    @Test("up ends as its release does", arguments: [
        (ReleaseSummary.State.succeeded, ""),
        (.paused, "release 7 is paused: p95 is too high\ngo on with: escale release promote\n"),
        (
            .rolledBack,
            """
            error: release 7 did not succeed, it is rolled back: p95 is too high
            hint: see what was decided with `escale release show 7`

            """
        ),
    ])
    func releaseOutcome(_ state: ReleaseSummary.State, _ text: String) async throws {
        try await inProject(["POST /v1/projects/shop/up": { _ in .lines([Self.released(state)]) }]) {
            _,
            directory in
            let outcome = await Terminal().run(
                ["up", "-d"],
                in: directory,
                environment: environment(directory)
            )
            #expect(outcome.code == (text.hasPrefix("error") ? 1 : 0))
            #expect(outcome.error == text)
        }
    }

    @Test("Ctrl-C while a release runs leaves it running and says so")
    func interruptedRelease() async throws {
        let event = ProgressEvent("Release 7", .working, "Running", at: .now)
        let route: FakeDaemon.Route = { _ in
            .lines([StreamLine<UpResult>.progress(event)]) {
                while !Task.isCancelled { try await Task.sleep(for: .milliseconds(20)) }
            }
        }
        try await inProject(["POST /v1/projects/shop/up": route]) { _, directory in
            let terminal = Terminal()
            let environment = environment(directory)
            let work = Task { await terminal.run(["up", "-d"], in: directory, environment: environment) }
            while terminal.error.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            work.cancel()
            #expect(await work.value.code == 130)
            #expect(
                terminal.error
                    == " Release 7  Running\nthe release goes on; see it with: escale release watch\n"
            )
        }
    }

    /// A project that runs until it is stopped.
    private final class World: Sendable {
        let ended = Mutex(false)
        let timeouts = Mutex<[Duration?]>([])
        var hasEnded: Bool { ended.withLock { $0 } }

        func routes(stopsAt count: Int) -> [String: FakeDaemon.Route] {
            [
                "POST /v1/projects/shop/up": { _ in .lines([UpTests.result]) },
                "GET /v1/projects/shop/containers": { _ in
                    .value([ContainerSummary.sample("web", self.hasEnded ? .exited : .running, exitCode: 0)])
                },
                "GET /v1/projects/shop/logs": { _ in
                    let line = LogRecord(
                        container: "shop-web-1",
                        service: ServiceName(rawValue: "web"),
                        stream: .stdout,
                        at: .now,
                        bytes: Array("hello".utf8)
                    )
                    return .lines([line]) {
                        while !self.hasEnded { try await Task.sleep(for: .milliseconds(5)) }
                    }
                },
                "GET /v1/projects/shop/events": { _ in
                    .lines([]) { while !Task.isCancelled { try await Task.sleep(for: .milliseconds(50)) } }
                },
                "POST /v1/projects/shop/services": { request in
                    // A body that can't be read leaves no timeout behind, which the test sees.
                    let body = try? JSONDecoder().decode(ServicesRequest.self, from: Data(request.body))
                    let asked = self.timeouts.withLock { list -> Int in
                        if let body { list.append(body.timeout) }
                        return list.count
                    }
                    if asked >= count { self.ended.withLock { $0 = true } }
                    return .lines([]) {
                        while !self.hasEnded { try await Task.sleep(for: .milliseconds(5)) }
                    }.appending(StreamLine<ServicesResult>.result(ServicesResult(containers: [])))
                },
            ]
        }
    }

    @Test("An attached up shows the output and ends with the containers")
    func attached() async throws {
        let world = World()
        try await inProject(world.routes(stopsAt: 1)) { _, directory in
            let terminal = Terminal()
            async let outcome = terminal.run(["up"], in: directory, environment: environment(directory))
            while terminal.output.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            world.ended.withLock { $0 = true }
            #expect(await outcome.code == 0)
            #expect(terminal.output == "web-1  | hello\n")
        }
    }

    @Test("Ctrl-C stops the project, a second one kills it; both end with 130", arguments: [1, 2])
    func interrupted(signals: Int) async throws {
        let world = World()
        let interrupts = Interrupts()
        try await inProject(world.routes(stopsAt: signals)) { _, directory in
            let terminal = Terminal()
            async let outcome = terminal.run(
                ["up", "-t", "7"],
                in: directory,
                environment: environment(directory),
                interrupts: interrupts
            )
            while terminal.output.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            for number in 1...signals {
                #expect(interrupts.deliver(SIGINT))
                while world.timeouts.withLock({ $0.count }) < number {
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            #expect(await outcome.code == 130)
            #expect(world.timeouts.withLock { $0 } == Array([.seconds(7), .zero].prefix(signals)))
        }
    }

    @Test("down -v works by name alone, without the files")
    func down() async throws {
        try await FakeDaemon.serving([
            "POST /v1/projects/shop/down": { _ in .lines([StreamLine<Empty>.result(Empty())]) }
        ]) { daemon in
            let outcome = await Terminal().run([
                "--root", daemon.root.directory ?? "", "-p", "shop", "down", "-vt3", "--remove-orphans",
            ])
            #expect(outcome.code == 0)
            let body = try #require(daemon.bodies(of: "/v1/projects/shop/down").first)
            let request = try JSONDecoder().decode(DownRequest.self, from: Data(body))
            #expect(request.removeVolumes)
            #expect(request.timeout == .seconds(3))
        }
    }
}

extension HTTPResponse {
    /// The same stream with one more line at its end.
    fileprivate func appending(_ value: some Encodable & Sendable) -> HTTPResponse {
        guard case .stream(let produce) = body else { return self }
        return .stream(headers: headers) { writer in
            try await produce(writer)
            try await writer.write(HTTPResponse.json(value) + [10])
        }
    }
}

import EscaleAPI
import EscaleCLI
import EscaleClient
import EscaleCompose
import EscaleCore
import EscaleHTTP
import EscaleSystem
import Glibc
import Synchronization
import Testing

@Suite("The daemon's client")
struct ClientTests {
    private static let project = Project(name: ProjectName(rawValue: "shop"), workingDirectory: "/srv")

    private func client(_ root: EscaleRoot, daemon: String = "/nonexistent/escaled") throws -> DaemonClient {
        try DaemonClient(root: root, launcher: DaemonLauncher(root: root, executable: daemon))
    }

    private func program(_ text: String, in directory: String) throws -> String {
        let path = "\(directory)/escaled"
        try Files.write(path, Array("#!/bin/sh\n\(text)\n".utf8), mode: 0o755)
        return path
    }

    @Test("Progress comes in order, then the result")
    func up() async throws {
        let now = Timestamp.now
        let lines: [StreamLine<UpResult>] = [
            .progress(ProgressEvent("Container shop-web-1", .working, "Starting", at: now)),
            .progress(ProgressEvent("Container shop-web-1", .done, "Started", at: now)),
            .result(UpResult(changed: true, orphans: ["shop-old-1"])),
        ]
        try await FakeDaemon.serving(["POST /v1/projects/shop/up": { _ in .lines(lines) }]) { daemon in
            let seen = Mutex<[String]>([])
            let result = try await client(daemon.root).up(UpRequest(project: Self.project)) { event in
                seen.withLock { $0.append(event.text) }
            }
            #expect(result == UpResult(changed: true, orphans: ["shop-old-1"]))
            #expect(seen.withLock { $0 } == ["Starting", "Started"])
        }
    }

    @Test("The daemon's refusals arrive as they are", arguments: [true, false])
    func refusal(streamed: Bool) async throws {
        let error = EscaleError(
            .init("container.failed"),
            "web ended",
            hint: "see its log",
            details: [.init("end of its log", "boom")]
        )
        let route: FakeDaemon.Route = { _ in
            streamed ? .lines([StreamLine<UpResult>.failure(error)]) : .failure(error)
        }
        try await FakeDaemon.serving(["POST /v1/projects/shop/up": route]) { daemon in
            await #expect(throws: error) {
                try await client(daemon.root).up(UpRequest(project: Self.project)) { _ in }
            }
            #expect(daemon.requests.count == 1)
        }
    }

    @Test("An up whose connection breaks is sent again, three times at most", arguments: [2, 9])
    func retry(cuts: Int) async throws {
        let count = Mutex(0)
        let route: FakeDaemon.Route = { _ in
            let attempt = count.withLock {
                $0 += 1
                return $0
            }
            if attempt > cuts {
                return .lines([StreamLine<UpResult>.result(UpResult(changed: true, orphans: []))])
            }
            return .lines([StreamLine<UpResult>.progress(ProgressEvent("x", .working, "Starting", at: .now))])
            { throw Cut() }
        }
        try await FakeDaemon.serving(["POST /v1/projects/shop/up": route]) { daemon in
            let client = try client(daemon.root)
            if cuts <= 3 {
                #expect(try await client.up(UpRequest(project: Self.project)) { _ in }.changed)
                #expect(daemon.requests.count == cuts + 1)
            } else {
                let error = await #expect(throws: EscaleError.self) {
                    try await client.up(UpRequest(project: Self.project)) { _ in }
                }
                #expect(error?.code == .daemonLost)
                #expect(daemon.requests.count == 4)
            }
        }
    }

    @Test("Another API version is told apart from a failure, but can be asked to stop")
    func version() async throws {
        let routes: [String: FakeDaemon.Route] = [
            "GET /v1/projects": { _ in
                HTTPResponse(.ok, headers: ["X-Escale-Api": "7"], body: Array("[]".utf8))
            },
            "GET /v1/version": { _ in
                .value(VersionInfo(version: "9", api: 7, pid: 0, startedAt: .now))
            },
            "POST /v1/system/stop": { _ in
                HTTPResponse(.ok, headers: ["X-Escale-Api": "7"], body: Array("{}".utf8))
            },
        ]
        try await FakeDaemon.serving(routes) { daemon in
            let client = try client(daemon.root)
            let error = await #expect(throws: EscaleError.self) { try await client.projects() }
            #expect(error?.code == .apiVersion)
            #expect(error?.message.contains("version 7") == true)
            try await client.stopDaemon()
        }
    }

    @Test("A daemon that ends at its start is shown with the end of its log")
    func dyingDaemon() async throws {
        try await Scratch.with { directory in
            let program = try program("echo 'no cgroups here' >&2; exit 5", in: directory)
            let client = try client(EscaleRoot(directory: directory), daemon: program)
            let error = await #expect(throws: EscaleError.self) { try await client.projects() }
            #expect(error?.code == .daemonDidNotStart)
            #expect(error?.message.contains("exit code 5") == true)
            #expect(error?.details.first?.text == "no cgroups here")
        }
    }

    @Test("Several clients at once start one daemon, with the root's arguments")
    func oneDaemon() async throws {
        try await Scratch.with { directory in
            let root = EscaleRoot(directory: directory)
            let marker = "\(directory)/started"
            let program = try program(
                "echo \"$*\" >> \(marker); echo $$ > \(directory)/pid; exec sleep 20",
                in: directory
            )
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...4 {
                    group.addTask { _ = try await self.client(root, daemon: program).projects() }
                }
                while !Files.exists(marker) { try await Task.sleep(for: .milliseconds(5)) }
                try await FakeDaemon.serving(
                    ["GET /v1/projects": { _ in .value([ProjectSummary]()) }],
                    at: root
                ) { _ in
                    try await group.waitForAll()
                }
            }
            #expect(try Files.readText(marker) == "--root \(directory)\n")
            let pid = try #require(Int32(try Files.readText("\(directory)/pid").filter(\.isNumber)))
            kill(pid, SIGKILL)
        }
    }

    @Test("A daemon that is ending is waited for before the next one starts")
    func endingDaemon() async throws {
        try await Scratch.with { directory in
            let root = EscaleRoot(directory: directory)
            try Files.createDirectories(root.runtime)
            let program = try program("test -e \(directory)/gone && exit 5; exit 6", in: directory)
            let old = Command(
                "/usr/bin/flock",
                [root.lock, "sh", "-c", "touch \(directory)/held; sleep 0.3; touch \(directory)/gone"]
            )
            let nothing = try FileDescriptor("/dev/null", O_RDWR)
            let child = try await old.blockingSpawn([nothing, nothing, nothing])
            while !Files.exists("\(directory)/held") { try await Task.sleep(for: .milliseconds(5)) }
            let client = try client(root, daemon: program)
            let error = await #expect(throws: EscaleError.self) { try await client.projects() }
            #expect(error?.message.contains("exit code 5") == true)
            #expect(try await child.wait() == 0)
        }
    }

    @Test("The root's paths are absolute and lie under it")
    func paths() {
        let root = EscaleRoot(option: "/srv/./e/", environment: ["ESCALE_ROOT": "/other"])
        #expect(root.socket == "/srv/e/run/escaled.sock")
        #expect(root.log == "/srv/e/state/escaled.log")
        #expect(
            EscaleRoot(option: nil, environment: ["ESCALE_ROOT": ""]).socket == "/run/escale/escaled.sock"
        )
        #expect(EscaleRoot(option: nil, environment: ["ESCALE_ROOT": "/o"]).arguments == ["--root", "/o"])
    }
}

import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// Escale leaves the host as it found it.
@Suite struct HostStateTests {
    @Test(
        "after `down -v` addresses, routes, links, rules, mounts, processes and control groups are as before"
    )
    func downLeavesNothing() async throws {
        try await EscaleFixture.with(image: false) { escale in
            let host = try await PrivateHost(escale)
            let project = try escale.project("full", try Self.yaml())
            try project.write("site/index.html", "hello")
            let image = try Programs.busyboxImage()
            // The first look comes before there is a daemon, the second one after the daemon has worked and ended.
            let before = try await host.snapshot(nil)
            try await host.escale(["image", "import", image, "busybox:latest"])
            let instance = try await escale.instance()
            try await host.escale(["up", "-d", "--wait"], of: project)
            let during = try await host.snapshot(instance)
            try await host.escale(["down", "-v"], of: project)
            let after = try await poll(until: { $0 == before }) {
                try await host.snapshot(instance)
            }
            #expect(during != before, "the snapshots see nothing at all")
            let differences = after.differences(from: before)
            #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
        }
    }

    @Test("the fixture's own check sees processes, rules, addresses, links, control groups and the slot")
    func leftoversAreSeen() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                "services: {web: {image: busybox, command: sleep 600, stop_signal: SIGKILL}}"
            )
            try await project.up()
            let instance = try await escale.instance()
            let found = try await Leftovers.find(root: escale.root, instance)
            let kinds = [
                "escaled", "conmon", "dnsmasq", "sleep 600", "table ", "ip -4 addr", "ip -4 route", "ip link",
                "control group", "slot of",
            ]
            for kind in kinds {
                #expect(
                    found.contains { $0.contains(kind) },
                    "no \"\(kind)\" in:\n\(found.joined(separator: "\n"))"
                )
            }
        }
    }

    @Test("`system reset` removes running projects, volumes and images, and ends the daemon")
    func reset() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web: {image: busybox, command: sleep 600, stop_signal: SIGKILL, volumes: ["data:/data"]}
                volumes: {data: {}}
                """
            )
            try await project.up()
            let instance = try await escale.instance()
            try await escale.escale(["system", "reset"]).failed(2)
            #expect(try await project.container("web").state == .running, "without --yes nothing happens")
            try await escale.escale(["system", "reset", "--yes"]).ok()
            let left = try await poll(until: { $0.isEmpty }) {
                try await Leftovers.find(root: escale.root, instance)
            }
            #expect(left.isEmpty, "\(left)")
            #expect(!Files.exists("\(escale.root)/state"), "nothing of its state is left")
            #expect(
                try await escale.escale(["image", "ls", "--quiet"]).ok().output == "",
                "no image is left"
            )
            #expect(try await escale.escale(["ls", "--format", "json"]).ok().json([JSONValue].self).isEmpty)
        }
    }

    @Test("`system stop` ends the daemon, containers go on, and it leaves with them when there are none")
    func stop() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                "services: {web: {image: busybox, command: sleep 600, stop_signal: SIGKILL}}"
            )
            try await project.up()
            let instance = try await escale.instance()
            let before = try await project.container("web")
            try await escale.escale(["system", "stop"]).ok()
            let daemon = try await poll(until: { $0 == nil }) { escale.daemon() }
            #expect(daemon == nil)
            #expect(Identity(try await project.container("web")) == Identity(before))

            try await project.down()
            try await escale.escale(["system", "stop"]).ok()
            let left = try await poll(until: { $0.isEmpty }) {
                try await Leftovers.find(root: escale.root, instance)
            }
            #expect(left.isEmpty, "\(left)")
        }
    }

    private static func yaml() throws -> String {
        let (port, other) = (try FreePort.take(), try FreePort.take())
        return """
            services:
              web:
                image: busybox
                command: httpd -f -p 80 -h /www
                stop_signal: SIGKILL
                ports: ["127.0.0.1:\(port):80", "\(other):80"]
                volumes: ["./site:/www:ro", "cache:/cache", /anonymous]
                tmpfs: [/tmp]
                networks: [front, back]
                scale: 3
                healthcheck: {test: wget -q -O /dev/null http://127.0.0.1/, interval: 1s}
              db:
                image: busybox
                command: sleep 600
                stop_signal: SIGKILL
                volumes: ["data:/data"]
                networks: [back]
            networks: {front: {}, back: {internal: true}}
            volumes: {cache: {}, data: {}}
            """
    }
}

/// A network and a mount namespace in which only this Escale works, so that nothing else on the host moves in the
/// snapshots.
private struct PrivateHost {
    private let fixture: EscaleFixture
    private let holder: RunningProgram

    init(_ fixture: EscaleFixture) async throws {
        self.fixture = fixture
        let holder = try await RunningProgram(
            ["unshare", "--net", "--mount", "sh", "-c", "ip link set lo up; exec sleep 600"],
            directory: "/",
            input: "",
            environment: Command.defaultEnvironment,
            scratch: fixture.scratch
        )
        self.holder = holder
        fixture.onCleanUp("end the private host") { try await holder.end() }
        let isReady = try await poll(until: { $0 }) {
            HostProcesses.all().contains { $0.identity.pid == holder.pid && $0.arguments.first == "sleep" }
        }
        guard isReady else { throw Unexpected("the private host didn't start: \(holder.errors)") }
    }

    private var enter: [String] { ["nsenter", "--target", "\(holder.pid)", "--net", "--mount"] }

    @discardableResult
    func escale(_ words: [String], of project: TestProject? = nil) async throws -> RunResult {
        // nsenter changes the directory.
        let file = project.map { ["--file", "\($0.directory)/compose.yaml"] } ?? []
        return try await fixture.begin(file + words, through: enter).result().ok()
    }

    func snapshot(_ instance: Instance?) async throws -> Snapshot {
        var parts: [String: Set<String>] = [:]
        let looks = [
            ["ip", "-details", "addr"], ["ip", "route", "show", "table", "all"], ["ip", "rule"],
            ["ip", "neigh"],
            ["nft", "list", "ruleset"], ["cat", "/proc/self/mountinfo"],
        ]
        for look in looks {
            let text = try await run(enter + look).ok().output
            parts[look.joined(separator: " ")] = Set(text.split(separator: "\n").map(String.init))
        }
        parts["control groups"] = Set(instance.map(Leftovers.cgroups) ?? [])
        parts["processes"] = Set(
            HostProcesses.using(fixture.root).map(\.arguments)
                .filter { $0.first?.hasSuffix("/escaled") != true }.map { $0.joined(separator: " ") }
        )
        return Snapshot(parts: parts)
    }
}

private struct Snapshot: Equatable {
    let parts: [String: Set<String>]

    func differences(from other: Snapshot) -> [String] {
        parts.sorted { $0.key < $1.key }.flatMap { name, lines in
            let before = other.parts[name] ?? []
            return lines.subtracting(before).sorted().map { "\(name): new: \($0)" }
                + before.subtracting(lines).sorted().map { "\(name): gone: \($0)" }
        }
    }
}

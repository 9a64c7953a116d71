import EscaleAPI
import EscaleCore
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

/// The daemon is killed at random moments of `up` and `down`; the next command makes it as if nothing had happened.
///
/// `ESCALE_TEST_SEED` repeats a run's moments.
@Suite struct DaemonChaosTests {
    private static let rounds = 10

    /// Three lanes of ten rounds: each round kills once or twice in an `up` and once in a `down -v`.
    @Test("killed at random moments of up and down, nothing is lost and nothing is left", arguments: 1...3)
    func randomKills(lane: Int) async throws {
        let seed = try Self.seed() &+ UInt64(lane)
        try await EscaleFixture.with { escale in
            var random = Seeded(seed)
            let project = try escale.project("chaos", Self.yaml)
            try project.write("index.html", "hello from the file")
            let instance = try await escale.instance()
            let idle = Traces(escale, instance)

            // Undisturbed: how it looks, and how long it takes.
            let upTime = try await project.up("--wait").duration
            let expected = try await State(project)
            #expect(expected.containers.count == 5, "\(expected)")
            let downTime = try await project.down("-v").duration
            try await expectNothing(Traces(escale, instance), but: idle, "undisturbed")

            for round in 1...Self.rounds {
                let place = "seed \(seed - UInt64(lane)), lane \(lane), round \(round)"
                var moments = [upTime * Double.random(in: 0...1.1, using: &random)]
                if round.isMultiple(of: 3) {
                    moments.append(upTime * Double.random(in: 0...0.5, using: &random))
                }
                let cutUp = try await disturbed(["up", "-d", "--wait"], project, killsAfter: moments)
                let up = try await project.escale("up", "-d", "--wait")
                guard up.status == 0 else {
                    throw Unexpected(
                        "\(place): up after a kill at \(moments) failed: \(up)\nbefore: \(cutUp)"
                    )
                }
                // An up starts what has ended again, as docker compose does, and doesn't wait for it to end.
                let state = try await poll(until: { $0 == expected }) {
                    try await State(project)
                }
                #expect(state == expected, "\(place): after a kill of up at \(moments): \(cutUp)")

                let moment = downTime * Double.random(in: 0...1.1, using: &random)
                let cutDown = try await disturbed(["down", "-v"], project, killsAfter: [moment])
                let down = try await project.escale("down", "-v")
                guard down.status == 0 else {
                    throw Unexpected(
                        "\(place): down after a kill at \(moment) failed: \(down)\nbefore: \(cutDown)"
                    )
                }
                try await expectNothing(
                    Traces(escale, instance),
                    but: idle,
                    "\(place): up killed at \(moments), down at \(moment)"
                )
            }
        }
    }

    /// Runs a command whose daemon is killed, each moment counted from the one before; how the command ends is its own.
    private func disturbed(
        _ words: [String],
        _ project: TestProject,
        killsAfter moments: [Duration]
    ) async throws -> RunResult {
        let program = try await project.fixture.begin(words, in: project.directory)
        for moment in moments {
            try await Task.sleep(for: moment)
            try await project.fixture.killDaemon()
        }
        let result = try await program.result()
        #expect(!result.timedOut, "\(result)")
        return result
    }

    private func expectNothing(_ look: @autoclosure () -> Traces, but idle: Traces, _ place: String)
        async throws
    {
        let left = try await poll(until: { $0 == idle }) { look() }
        #expect(left == idle, "\(place): left over: \(left.all.subtracting(idle.all).sorted())")
    }

    private static func seed() throws -> UInt64 {
        let environment = try Files.read("/proc/self/environ").split(separator: 0)
            .map { String(decoding: $0, as: UTF8.self) }
        let given = environment.first { $0.hasPrefix("ESCALE_TEST_SEED=") }.flatMap {
            UInt64($0.dropFirst(17))
        }
        return given ?? UInt64.random(in: 1...1_000_000)
    }

    private static let yaml = """
        services:
          db:
            image: busybox
            command: ["sh", "-c", "echo row > /data/row; exec sleep 600"]
            stop_signal: SIGKILL
            volumes: ["data:/data"]
            healthcheck: {test: test -e /data/row, interval: 1s}
          migrate:
            image: busybox
            command: ["sh", "-c", "cat /data/row >> /data/migrated"]
            volumes: ["data:/data"]
            depends_on: {db: {condition: service_healthy}}
          web:
            image: busybox
            command: httpd -f -p 80 -h /www
            stop_signal: SIGKILL
            volumes: ["./index.html:/www/index.html:ro", "cache:/cache"]
            scale: 2
            restart: always
            networks: [front, default]
            depends_on: {migrate: {condition: service_completed_successfully}}
          probe:
            image: busybox
            command: sleep 600
            stop_signal: SIGKILL
            networks: [front]
            depends_on: [web]
            healthcheck:
              test: 'a=$$(nslookup web | sed -n "/^Name:/,$$ s/^Address[^:]*: *//p"); wget -q -O - http://$$a/ | grep -q hello'
              interval: 1s
        volumes: {data: {}, cache: {}}
        networks: {front: {}}
        """
}

/// What an undisturbed `up` leads to, without what differs from run to run.
private struct State: Equatable {
    var containers: [String] = []
    var pages: [String] = []

    init(_ project: TestProject) async throws {
        for container in try await project.containers() {
            let health = container.health?.rawValue ?? "unchecked"
            let code = container.exitCode.map { "\($0)" } ?? ""
            let networks = container.addresses.keys.sorted()
            containers.append("\(container.name) \(container.state) \(health) \(code) \(networks)")
        }
        for replica in ["1", "2"] {
            let page = try await project.escale(
                "exec",
                "--index",
                replica,
                "web",
                "wget",
                "-q",
                "-O",
                "-",
                "127.0.0.1"
            )
            pages.append(page.text)
        }
        pages.append(try await project.shell("db", "cat /data/row"))
    }
}

/// Everything on the host that belongs to containers, networks and volumes, by name.
private struct Traces: Equatable {
    let all: Set<String>

    init(_ escale: EscaleFixture, _ instance: Instance) {
        var all = Set<String>()
        for process in HostProcesses.using(escale.root)
        where process.arguments.first?.hasSuffix("/escaled") != true {
            if process.arguments.contains(where: { $0.hasSuffix("/escale") }) { continue }
            all.insert("process \(process.line)")
        }
        for directory in [
            "state/containers", "state/volumes", "run/containers", "run/oci", "run/network/resolvers",
        ] {
            for name in (try? Files.list("\(escale.root)/\(directory)")) ?? [] {
                all.insert("\(directory)/\(name)")
            }
        }
        for link in (try? Files.list("/sys/class/net")) ?? [] where link.hasPrefix(instance.interfaces) {
            all.insert("link \(link)")
        }
        for group in Leftovers.cgroups(instance) where !group.hasSuffix("/\(instance.cgroup)") {
            all.insert("control group \(group)")
        }
        let mounts = (try? Files.readText("/proc/self/mountinfo")) ?? ""
        for line in mounts.split(separator: "\n") where line.contains(escale.root) {
            all.insert("mount \(line)")
        }
        self.all = all
    }
}

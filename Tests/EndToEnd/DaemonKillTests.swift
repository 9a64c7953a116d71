import EscaleAPI
import EscaleCore
import EscaleSystem
import Glibc
import Testing

/// The daemon is killed; what runs goes on, and the next daemon takes it up.
@Suite struct DaemonKillTests {
    @Test("a killed daemon costs no request, and the next one shows the same containers")
    func clientsNoticeNothing() async throws {
        try await EscaleFixture.with { escale in
            let port = try FreePort.take()
            let project = try escale.project("web", Self.site(port))
            try await project.up("--wait")
            let before = try await project.containers()
            let client = SteadyClient(port: port, every: .milliseconds(5))
            _ = try await poll(until: { $0 > 20 }) { client.soFar.requests }
            #expect(try await escale.killDaemon())
            try await Task.sleep(for: .milliseconds(300))
            #expect(escale.daemon() == nil, "nobody started it meanwhile")
            let alone = client.soFar.requests
            let after = try await project.containers()
            #expect(escale.daemon() != nil, "`ps` started it")
            try await Task.sleep(for: .milliseconds(300))
            let record = try await client.stop()

            #expect(record.failures.isEmpty, "of \(record.requests) requests \(record.failures.count) failed")
            #expect(alone > 25, "requests were made while no daemon ran: \(alone)")
            #expect(record.bodies.count == 2, "both replicas answered: \(record.bodies)")
            #expect(after.map(Identity.init) == before.map(Identity.init))
            #expect(after.allSatisfy { $0.state == .running && $0.health == .healthy }, "\(after)")
        }
    }

    @Test("up after a kill changes nothing")
    func upAfterKill() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project("web", Self.site(try FreePort.take()))
            try await project.up("--wait")
            let before = try await project.containers()
            try await escale.killDaemon()
            let again = try await project.up("--wait")
            let after = try await project.containers()
            #expect(after.map(Identity.init) == before.map(Identity.init), "\(again)")
        }
    }

    @Test("health checks and restarts go on under the next daemon")
    func watchingGoesOn() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "watch",
                """
                services:
                  checked:
                    image: busybox
                    command: ["sh", "-c", "touch /well; exec sleep 600"]
                    stop_signal: SIGKILL
                    healthcheck: {test: test -e /well, interval: 300ms, retries: 2}
                  restarted: {image: busybox, command: sleep 600, stop_signal: SIGKILL, restart: always}
                """
            )
            try await project.up("--wait")
            let old = try await project.container("restarted")
            try await escale.killDaemon()
            _ = try await project.containers()

            _ = try await project.shell("checked", "rm /well")
            let ill = try await project.container("checked") { $0.health == .unhealthy }
            #expect(ill.pid != nil)
            _ = try await project.shell("checked", "touch /well")
            _ = try await project.container("checked") { $0.health == .healthy }

            kill(try #require(old.pid), SIGKILL)
            let new = try await project.container("restarted") {
                $0.state == .running && $0.pid != old.pid
            }
            #expect(new.id == old.id)
            #expect(new.restarts == 1)
        }
    }

    @Test("a container that ended while no daemon ran is seen, with its exit code, and restarted")
    func endsUnseen() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "gone",
                """
                services:
                  back:
                    image: busybox
                    command: ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done"]
                    restart: on-failure
                  away:
                    image: busybox
                    command: ["sh", "-c", "trap 'exit 8' TERM; while :; do sleep 0.05; done"]
                """
            )
            try await project.up("--wait")
            let back = try await project.container("back")
            let away = try await project.container("away")
            try await Task.sleep(for: .milliseconds(200))  // until the traps are set
            try await escale.killDaemon()
            for container in [back, away] {
                let pid = try #require(container.pid)
                let identity = try #require(ProcessIdentity(pid: pid))
                kill(identity.pid, SIGTERM)
                let ended = try await poll(until: { !$0 }) { identity.isAlive }
                #expect(!ended, "the process of \(container.name) didn't end")
            }
            let restarted = try await project.container("back") {
                $0.state == .running && $0.pid != back.pid
            }
            #expect(restarted.restarts == 1)
            let over = try await project.container("away")
            #expect(over.state == .exited && over.exitCode == 8, "\(over)")
            let codes = try await project.events().filter { $0.kind == "container.exited" }
                .compactMap { $0.attributes["exitCode"] }.sorted()
            #expect(codes == ["7", "8"])
        }
    }

    @Test("`logs -f` and `up` survive a killed daemon or say what happened")
    func commandsUnderWay() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "slow",
                """
                services:
                  slow:
                    image: busybox
                    command: ["sh", "-c", "sleep 1; touch /well; exec sleep 600"]
                    stop_signal: SIGKILL
                    healthcheck: {test: test -e /well, interval: 200ms, retries: 50}
                """
            )
            let up = try await project.begin("up", "-d", "--wait")
            _ = try await poll(until: { !$0.isEmpty }) {
                HostProcesses.using(escale.root).filter { $0.arguments.contains { $0.hasSuffix("conmon") } }
            }
            try await escale.killDaemon()
            let result = try await up.result()
            try result.ok()
            #expect(try await project.container("slow").health == .healthy)
        }
    }

    /// Two replicas of a web server behind a port, each answering with its name.
    private static func site(_ port: UInt16) -> String {
        """
        services:
          web:
            image: busybox
            command: ["sh", "-c", "mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"]
            stop_signal: SIGKILL
            ports: ["127.0.0.1:\(port):80"]
            scale: 2
            healthcheck: {test: wget -q -O /dev/null http://127.0.0.1/, interval: 500ms}
        """
    }
}

/// What must not change of a container that goes on.
struct Identity: Hashable {
    let id: String
    let name: String
    let pid: Int32?
    let startedAt: String

    init(_ container: ContainerSummary) {
        id = container.id.rawValue
        name = container.name
        pid = container.pid
        startedAt = container.startedAt?.description ?? ""
    }
}

import EscaleAPI
import EscaleCore
import EscaleSystem
import Glibc
import Testing

@Suite struct HealthTests {
    @Test("with an interval of 30 s a container is healthy in less than 2 s")
    func earlyProbe() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: ["sh", "-c", "sleep 0.5; touch /ready; exec sleep 600"]
                    stop_signal: SIGKILL
                    healthcheck: {test: test -e /ready, interval: 10m}
                """
            )
            // Not after the interval, or this would end here.
            try await project.up("--wait")
            #expect(try await project.container("web").health == .healthy)
        }
    }

    @Test(
        "unhealthy after the retries, with the probe's output as the reason; healthy again after one success"
    )
    func unhealthy() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: ["sh", "-c", "touch /ready; exec sleep 600"]
                    stop_signal: SIGKILL
                    healthcheck: {test: "cat /ready", interval: 300ms, timeout: 2s, retries: 3}
                """
            )
            try await project.up("--wait")
            let began = ContinuousClock.now
            _ = try await project.shell("web", "rm /ready")
            let ill = try await project.container("web") { $0.health == .unhealthy }
            #expect(ContinuousClock.now - began > .milliseconds(500), "not after the first failure")
            #expect(ill.reason?.contains("No such file") == true, "\(ill)")
            #expect(ill.state == .running, "an unhealthy container goes on")
            _ = try await project.shell("web", "touch /ready")
            _ = try await project.container("web") { $0.health == .healthy }
            let kinds = try await project.events().map(\.kind).filter { $0.hasPrefix("health.") }
            #expect(kinds == ["health.healthy", "health.unhealthy", "health.healthy"], "\(kinds)")
        }
    }

    @Test("a probe runs as the container's user, in its directory, with its environment")
    func probesUser() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    user: "1000:1001"
                    working_dir: /etc
                    environment: {COLOUR: red}
                    healthcheck: {test: "echo $$(id -u) $$(id -g) $$(pwd) $$COLOUR; exit 1", interval: 200ms, retries: 1}
                """
            )
            let result = try await project.escale("up", "-d", "--wait").failed()
            #expect(result.errors.contains("1000 1001 /etc red"), "\(result)")
        }
    }

    @Test("a probe that hangs is cut off at its time-out and leaves no process")
    func hangingProbe() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    healthcheck: {test: ["CMD", "sleep", "431"], interval: 200ms, timeout: 300ms, retries: 2}
                """
            )
            try await project.up()
            let ill = try await project.container("web") { $0.health == .unhealthy }
            #expect(ill.reason?.contains("no answer within 300ms") == true, "\(ill)")
            let probes = try await project.shell("web", "ps | grep -c '[s]leep 431' || true")
            #expect((Int(probes) ?? 99) <= 1, "at most the probe under way: \(probes)")
        }
    }

    @Test("no traffic goes to an unhealthy replica while a healthy one is there")
    func traffic() async throws {
        try await EscaleFixture.with { escale in
            let port = try FreePort.take()
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: ["sh", "-c", "mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"]
                    stop_signal: SIGKILL
                    scale: 2
                    ports: ["\(port):80"]
                    healthcheck: {test: test ! -e /ill, interval: 300ms, retries: 1}
                """
            )
            try await project.up("--wait")
            let ill = try await project.shell("web", "hostname; touch /ill")
            _ = try await project.container("web") { $0.health == .unhealthy }
            // What is known of its health is in the rules a moment later, which a busy machine makes longer.
            var answers = Set<String>()
            for _ in 0..<100 {
                answers = []
                for _ in 0..<30 { answers.insert(try await HTTPProbe.answer(port)) }
                if answers.count == 1 { break }
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(
                answers.count == 1 && !answers.contains(ill + "\n"),
                "\(answers), but \(ill) is unhealthy"
            )
        }
    }
}

@Suite struct RestartTests {
    @Test("each restart policy does what it says")
    func policies() async throws {
        try await EscaleFixture.with { escale in
            let service = { (code: Int, policy: String) in
                "{image: busybox, command: [sh, -c, 'echo run; exit \(code)'], restart: \"\(policy)\"}"
            }
            let project = try escale.project(
                "app",
                """
                services:
                  never: \(service(1, "no"))
                  always: \(service(0, "always"))
                  stopped: \(service(0, "unless-stopped"))
                  failed: \(service(1, "on-failure:2"))
                  succeeded: \(service(0, "on-failure"))
                """
            )
            try await project.up()
            let failed = try await project.container("failed") {
                $0.state == .exited && $0.restarts == 2
            }
            #expect(failed.exitCode == 1)
            #expect(try await project.logs("failed").count == 3, "the first run and two more")
            for name in ["always", "stopped"] {
                let container = try await project.container(name) { $0.restarts >= 3 }
                #expect(container.state != .exited, "\(container)")
            }
            for name in ["never", "succeeded"] {
                let container = try await project.container(name)
                #expect(container.state == .exited && container.restarts == 0, "\(container)")
                #expect(try await project.logs(name) == ["run"])
            }
            let starts = try await project.events().filter {
                $0.kind == "container.started" && $0.subject == "app-always-1"
            }
            let gaps = zip(starts, starts.dropFirst()).map { $1.at - $0.at }
            #expect(
                gaps.count >= 3 && gaps[0] >= .milliseconds(100) && gaps[2] >= .milliseconds(400),
                "\(gaps)"
            )
            try await project.escale("stop").ok()
            let count = try await project.logs("always").count
            try await Task.sleep(for: .milliseconds(700))
            #expect(try await project.logs("always").count == count, "stop ends the restarts")
        }
    }

    @Test("a killed container is back with a new process, counted, and the event says why it ended")
    func killed() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web: {image: busybox, command: sleep 600, stop_signal: SIGKILL, restart: always}
                """
            )
            try await project.up()
            let old = try await project.container("web")
            kill(try #require(old.pid), SIGKILL)
            let new = try await project.container("web") {
                $0.state == .running && $0.pid != old.pid
            }
            #expect(new.id == old.id && new.restarts == 1)
            #expect(new.addresses == old.addresses)
            let end = try #require(try await project.events().last { $0.kind == "container.exited" })
            #expect(end.subject == "app-web-1" && end.attributes["exitCode"] == "137", "\(end)")
            #expect(end.attributes["reason"]?.contains("SIGKILL") == true, "\(end)")
        }
    }
}

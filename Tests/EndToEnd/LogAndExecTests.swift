import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

@Suite struct LogTests {
    @Test("logs show both streams, the last lines, what is new, and times")
    func logs() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: ["sh", "-c", "echo first; echo problem >&2; sleep 1.2; echo last; exec sleep 600"]
                    stop_signal: SIGKILL
                """
            )
            try await project.up()
            let both = try await poll(until: { $0.contains("last") }) {
                try await project.escale("logs").ok().output
            }
            #expect(both.contains("web-1  | first\n") && both.contains("web-1  | problem\n"), "\(both)")

            let plain = try await project.escale("logs", "--no-log-prefix").ok()
            #expect(plain.output == "first\nproblem\nlast\n" && plain.errors.isEmpty, "\(plain)")
            #expect(try await project.logs("--tail", "1") == ["last"])
            #expect(try await project.logs("--tail", "0").isEmpty)
            let stamped = try await project.logs("-t")
            let times = stamped.compactMap { $0.split(separator: " ").first.map(String.init) }
            #expect(
                stamped.count == 3 && times.allSatisfy { $0.hasSuffix("Z") && $0.count == 30 },
                "\(stamped)"
            )
            let second = try #require(times.last)
            #expect(try await project.logs("--since", second) == ["last"])
            #expect(try await project.logs("--since", "1h").count == 3)
        }
    }

    @Test("logs -f follows new containers too, and ends on down")
    func following() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: ["sh", "-c", "n=0; while :; do n=$$((n+1)); echo line $$n; sleep 0.1; done"]
                    stop_signal: SIGKILL
                """
            )
            try await project.up()
            let follower = try await project.begin("logs", "-f")
            let seen = try await poll(until: { $0.contains("line 5\n") }) {
                follower.output
            }
            #expect(seen.contains("line 1\n") && seen.contains("line 5\n"), "\(seen)")
            try await project.up("--force-recreate")
            let twice = try await poll(until: { $0.components("line 1\n") == 2 }) {
                follower.output
            }
            #expect(twice.components("line 1\n") == 2, "the new container's output is followed: \(twice)")
            try await project.down()
            let result = try await follower.result()
            #expect(!result.timedOut && result.status == 0, "\(result)")
        }
    }

    @Test("a container that ended keeps its log, a quick one loses nothing, long lines stay whole")
    func wholeLogs() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  burst:
                    image: busybox
                    command: ["sh", "-c", "seq 1 20000; head -c 100000 /dev/zero | tr '\\\\0' x; echo; echo end"]
                """
            )
            try await project.up()
            _ = try await project.container("burst") { $0.state == .exited }
            let lines = try await project.logs()
            #expect(lines.count == 20_002, "\(lines.count) lines")
            #expect(lines.first == "1" && lines.last == "end")
            #expect(lines.dropLast().last?.count == 100_000)
        }
    }
}

extension String {
    /// How often the text occurs.
    func components(_ text: String) -> Int { ranges(of: text).count }
}

@Suite struct ExecTests {
    @Test("exec passes exit code, input, both streams, environment, user and directory")
    func exec() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    environment: {COLOUR: red}
                    working_dir: /etc
                """
            )
            try await project.up()
            #expect(try await project.escale("exec", "web", "sh", "-c", "exit 42").status == 42)
            #expect(try await project.escale("exec", "web", "sh", "-c", "kill -9 $$").status == 137)
            let streams = try await project.escale("exec", "-T", "web", "sh", "-c", "echo out; echo err >&2")
                .ok()
            #expect(streams.output == "out\n" && streams.errors == "err\n", "\(streams)")
            let piped = try await project.escale("exec", "-T", "web", "wc", "-c", input: "twelve bytes").ok()
            #expect(piped.output == "12\n", "\(piped)")
            #expect(try await project.shell("web", "pwd; echo $COLOUR; id -u") == "/etc\nred\n0")
            let mail = try await project.escale("exec", "--user", "www-data", "web", "id").ok()
            #expect(mail.output.hasPrefix("uid=33(www-data) gid=33(www-data)"), "\(mail)")
            let nobody = try await project.escale("exec", "--user", "nosuch", "web", "id").failed()
            #expect(nobody.errors.contains("user \"nosuch\""), "\(nobody)")
            let other = try await project.escale(
                "exec",
                "-e",
                "COLOUR=blue",
                "-u",
                "1000:1001",
                "-w",
                "/tmp",
                "web",
                "sh",
                "-c",
                "pwd; echo $COLOUR; id -u; id -g"
            ).ok()
            #expect(other.output == "/tmp\nblue\n1000\n1001\n", "\(other)")
            let missing = try await project.escale("exec", "web", "nonsense")
            #expect(missing.status != 0 && missing.text.contains("nonsense"), "\(missing)")
        }
    }
}

import EscaleAPI
import EscaleCLI
import EscaleCore
import EscaleHTTP
import EscaleSystem
import FoundationEssentials
import Glibc
import Testing

@Suite("escale exec")
struct ExecTests {
    /// The program, which building the tests builds too.
    private static let program: String = {
        let own = Files.linkTarget("/proc/self/exe") ?? ""
        return own.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/escale"
    }()

    private func route(_ plan: ExecPlan) -> [String: FakeDaemon.Route] {
        ["POST /v1/projects/shop/exec": { _ in .value(plan) }]
    }

    @Test("Flags end at the service; the rest is the command's")
    func request() async throws {
        let plan = ExecPlan(executable: "/nonexistent/runc", arguments: [], unmounts: [])
        try await FakeDaemon.serving(route(plan)) { daemon in
            let outcome = await Terminal().run(
                [
                    "--root", daemon.root.directory ?? "", "-p", "shop", "exec", "-T", "-u", "app", "-w",
                    "/srv", "-e", "A=1",
                    "-e", "HOME", "--index=2", "web", "ls", "-l", "--", "x",
                ],
                environment: ["HOME": "/root"]
            )
            #expect(outcome.code == 1)
            #expect(outcome.error == "error: can't run /nonexistent/runc (exec): No such file or directory\n")
            let body = try #require(daemon.bodies(of: "/v1/projects/shop/exec").first)
            let request = try JSONDecoder().decode(ExecRequest.self, from: Data(body))
            #expect(request.command == ["ls", "-l", "--", "x"])
            #expect(request.service.rawValue == "web" && request.index == 2 && !request.tty)
            #expect(request.user == "app" && request.workingDirectory == "/srv")
            #expect(request.environment == ["A": "1", "HOME": "/root"])
        }
    }

    @Test("The program has escale's input and output, and its exit code becomes escale's")
    func carries() async throws {
        let plan = ExecPlan(
            executable: "/bin/sh",
            arguments: ["-c", "read line; echo \"got $line\"; exit 7"],
            unmounts: ["/nowhere"]
        )
        try await FakeDaemon.serving(route(plan)) { daemon in
            let command = Command(
                Self.program,
                ["--root", daemon.root.directory ?? "", "-p", "shop", "exec", "-T", "web", "cat"]
            )
            let result = try await command.run(input: Array("hello\n".utf8), timeout: .seconds(60))
            #expect(result.text == "got hello\n")
            #expect(result.status == 7)
        }
    }

    @Test("Ctrl-C ends a command with 130 and says nothing", .timeLimit(.minutes(5)))
    func interrupted() async throws {
        let routes: [String: FakeDaemon.Route] = [
            "GET /v1/projects/shop/logs": { _ in
                .lines([]) { while !Task.isCancelled { try await Task.sleep(for: .milliseconds(20)) } }
            }
        ]
        try await FakeDaemon.serving(routes) { daemon in
            let command = Command(
                Self.program,
                ["--root", daemon.root.directory ?? "", "-p", "shop", "logs", "-f"]
            )
            let (reading, writing) = try FileDescriptor.pipe()
            let nothing = try FileDescriptor("/dev/null", O_RDONLY)
            let child = try await command.blockingSpawn([nothing, writing, writing])
            while daemon.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            child.signal(SIGINT)
            #expect(try await child.wait() == 130)
            _ = consume writing
            // Another test's process may have the pipe open for the moment between its fork and its exec.
            var output = try reading.readAvailable()
            while output == nil {
                try await Task.sleep(for: .milliseconds(5))
                output = try reading.readAvailable()
            }
            #expect(output == [])
        }
    }
}

import EscaleAPI
import EscaleCore
import EscaleSystem
import Glibc
import Testing

/// What people do wrong in a compose file or on the command line is answered with the cause, the place and a way out.
@Suite struct FileMistakeTests {
    /// One compose file and what the answer to it has to contain.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let name: String
        let yaml: String
        let says: [String]
        var testDescription: String { name }
    }

    static let mistakes = [
        Mistake(
            name: "a list that is not closed",
            yaml: """
                services:
                  web:
                    image: [busybox
                """,
            says: ["compose.yaml:3:12: error", "not closed", "hint: ", "end with ]"]
        ),
        Mistake(
            name: "a wrong indentation",
            yaml: """
                services:
                  web:
                    image: busybox
                   command: sleep 1
                """,
            says: ["compose.yaml:4:", "error[yaml.syntax]", "hint: "]
        ),
        Mistake(
            name: "an attribute with a typing error",
            yaml: """
                services:
                  web: {image: busybox, comand: sleep 1}
                """,
            says: [
                "compose.yaml:2:25: error", "services.web", "\"comand\"", "hint: did you mean \"command\"?",
            ]
        ),
        Mistake(
            name: "a dependency on a service that doesn't exist",
            yaml: """
                services:
                  web:
                    image: busybox
                    depends_on: [dbb]
                  db: {image: busybox}
                """,
            says: ["compose.yaml:4:18: error", "services.web", "\"dbb\"", "hint: did you mean \"db\"?"]
        ),
        Mistake(
            name: "services that depend on each other in a circle",
            yaml: """
                services:
                  a: {image: busybox, depends_on: [b]}
                  b: {image: busybox, depends_on: [c]}
                  c: {image: busybox, depends_on: [a]}
                """,
            says: [
                "compose.yaml:2:", "error", "circle", "a → b → c → a", "hint: ",
                "a needs b at compose.yaml:2:36",
            ]
        ),
        Mistake(
            name: "a port that is none",
            yaml: """
                services:
                  web: {image: busybox, ports: ["70000:80"]}
                """,
            says: ["compose.yaml:2:", "error", "services.web", "70000", "hint: "]
        ),
        Mistake(
            name: "a volume that is not declared",
            yaml: """
                services:
                  web: {image: busybox, volumes: ["data:/data"]}
                """,
            says: ["compose.yaml:2:", "error", "services.web", "data", "hint: ", "volumes"]
        ),
        Mistake(
            name: "two mistakes at once",
            yaml: """
                services:
                  web: {image: busybox, comand: sleep 1}
                  db: {imag: busybox}
                """,
            says: ["compose.yaml:2:25: error", "compose.yaml:3:8: error", "2 problems"]
        ),
        Mistake(name: "an empty file", yaml: "", says: ["compose.yaml", "is empty", "services:", "hint: "]),
    ]

    @Test("a mistake in the file is shown with its place and a hint", arguments: mistakes)
    func isShown(mistake: Mistake) async throws {
        try await EscaleFixture.with(image: false) { escale in
            let project = try escale.project("app", mistake.yaml)
            let result = try await project.escale("up", "-d").failed()
            for text in mistake.says {
                #expect(result.errors.contains(text), "\"\(text)\" is missing:\n\(result.errors)")
            }
            #expect(result.output.isEmpty, "nothing is printed as a result: \(result.output)")
        }
    }

    @Test("no compose file at all")
    func noFile() async throws {
        try await EscaleFixture.with(image: false) { escale in
            let project = try escale.project("nothing")
            let result = try await project.escale("up", "-d").failed()
            #expect(result.errors.contains("no compose file in \(project.directory)"), "\(result)")
            #expect(result.errors.contains("hint: create compose.yaml"), "\(result)")
        }
    }

    @Test("a command that doesn't exist, and a flag that doesn't: status 2 and a suggestion")
    func usage() async throws {
        try await EscaleFixture.with(image: false) { escale in
            let command = try await escale.escale(["dwon"]).failed(2)
            #expect(command.errors.contains("dwon") && command.errors.contains("down"), "\(command)")
            let flag = try await escale.escale(["up", "--detatch"]).failed(2)
            #expect(flag.errors.contains("--detatch") && flag.errors.contains("--detach"), "\(flag)")
        }
    }
}

/// What isn't there or in the way on the host.
@Suite struct HostMistakeTests {
    @Test("a port that a program of the host has: which program, which process")
    func portOfAProgram() async throws {
        try await EscaleFixture.with { escale in
            let port = try FreePort.take()
            let web = try await RunningProgram(
                ["busybox", "httpd", "-f", "-p", "127.0.0.1:\(port)"],
                directory: "/",
                input: "",
                environment: Command.defaultEnvironment,
                scratch: escale.scratch
            )
            escale.onCleanUp("end the host's program") { try await web.end() }
            _ = try await poll(until: { $0 }) { await HTTPProbe.accepts(port) }

            let project = try escale.project("app", Self.publishing(port))
            let result = try await project.escale("up", "-d").failed()
            #expect(
                result.errors.contains("port \(port)/tcp is taken by busybox (process \(web.pid))"),
                "\(result)"
            )
            #expect(result.errors.contains("hint: "), "\(result)")
            #expect(try await project.containers().isEmpty, "nothing was begun")
        }
    }

    @Test("a port of another project's container: which container, which project")
    func portOfAContainer() async throws {
        try await EscaleFixture.with { escale in
            let port = try FreePort.take()
            let first = try escale.project("first", Self.publishing(port))
            try await first.up()
            let second = try escale.project("second", Self.publishing(port))
            let result = try await second.escale("up", "-d").failed()
            #expect(
                result.errors.contains("port \(port)/tcp is taken by container first-web-1 of project first"),
                "\(result)"
            )
            #expect(result.errors.contains("hint: "), "\(result)")
            #expect(try await second.containers().isEmpty, "nothing was begun")
            #expect(try await first.container("web").state == .running)
        }
    }

    @Test("an image that isn't there: its name, the service, and what to do")
    func missingImage() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                "services: {web: {image: 'nowhere:1.2', command: sleep 1}}"
            )
            let result = try await project.escale("up", "-d").failed()
            for text in ["nowhere:1.2", "web", "hint: "] {
                #expect(result.errors.contains(text), "\"\(text)\" is missing:\n\(result)")
            }
        }
    }

    @Test("anybody but root is told at once")
    func notRoot() async throws {
        try await EscaleFixture.with(image: false) { escale in
            // Where anybody can reach and run them.
            for name in ["escale", "escaled"] {
                try await run("cp", "\(Programs.directory)/\(name)", escale.scratch).ok()
            }
            let project = try escale.project("app", "services: {web: {image: busybox}}")
            let program = try await RunningProgram(
                ["setpriv", "--reuid", "65534", "--clear-groups", "\(escale.scratch)/escale", "up", "-d"],
                directory: project.directory,
                input: "",
                environment: escale.environment,
                scratch: escale.scratch
            )
            let result = try await program.result().failed()
            #expect(result.errors.contains("needs root") && result.errors.contains("sudo"), "\(result)")
        }
    }

    @Test(
        "a program of the host that is missing is named with its Debian package",
        arguments: [
            Missing(programs: ["/usr/bin/crun", "/usr/sbin/runc"], package: "crun"),
            Missing(programs: ["/usr/bin/conmon"], package: "conmon"),
            Missing(
                programs: ["/usr/share/containers/seccomp.json"],
                package: "golang-github-containers-common"
            ),
        ]
    )
    func missingPackage(missing: Missing) async throws {
        try await EscaleFixture.with(image: false) { escale in
            let result = try await without(missing, escale, ["system", "info"]).failed()
            #expect(result.errors.contains("needs the package \(missing.package)"), "\(result)")
            #expect(result.errors.contains("apt-get install \(missing.package)"), "\(result)")
        }
    }

    @Test("without dnsmasq, the first container says which package is missing")
    func missingResolver() async throws {
        try await EscaleFixture.with(image: false) { escale in
            let missing = Missing(programs: ["/usr/sbin/dnsmasq"], package: "dnsmasq-base")
            let image = try Programs.busyboxImage()
            try await without(missing, escale, ["image", "import", image, "busybox:latest"]).ok()
            _ = try await escale.instance()
            let project = try escale.project("app", "services: {web: {image: busybox, command: sleep 600}}")
            let result = try await project.escale("up", "-d").failed()
            #expect(result.errors.contains("dnsmasq-base"), "\(result)")
            #expect(result.errors.contains("apt-get install dnsmasq-base"), "\(result)")
        }
    }

    struct Missing: Sendable, CustomTestStringConvertible {
        let programs: [String]
        let package: String
        var testDescription: String { package }
    }

    /// Runs escale, and the daemon that it starts, where these files are hidden.
    private func without(_ missing: Missing, _ escale: EscaleFixture, _ words: [String]) async throws
        -> RunResult
    {
        // Each file's directory gets an overlay in which the file is deleted, in a mount namespace of the daemon's own.
        let hide = "\(escale.scratch)/hide"
        var script = "set -e; mkdir -p \(hide); mount -t tmpfs tmpfs \(hide)\n"
        for (index, file) in missing.programs.enumerated() where Files.exists(file) {
            let (upper, work) = ("\(hide)/\(index)/upper", "\(hide)/\(index)/work")
            script += "mkdir -p \(upper) \(work)\n"
            let layers = "lowerdir=\(parent(file)),upperdir=\(upper),workdir=\(work)"
            script += "mount -t overlay overlay -o \(layers) \(parent(file)); rm -f \(file)\n"
        }
        script += "exec \"$@\"\n"
        let program = try await escale.begin(
            words,
            through: ["unshare", "--mount", "sh", "-c", script, "sh"]
        )
        return try await program.result()
    }

    private static func publishing(_ port: UInt16) -> String {
        """
        services:
          web: {image: busybox, command: sleep 600, stop_signal: SIGKILL, ports: ["\(port):80"]}
        """
    }
}

/// Containers that don't do what they should.
@Suite struct ContainerMistakeTests {
    @Test("a container that ends at once fails `up --wait` with its exit code and the end of its log")
    func endsAtOnce() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: ["sh", "-c", "echo starting; echo 'cannot read /etc/app.conf' >&2; exit 3"]
                """
            )
            let result = try await project.escale("up", "-d", "--wait").failed()
            for text in ["app-web-1", "exit code 3", "cannot read /etc/app.conf", "escale logs web"] {
                #expect(result.errors.contains(text), "\"\(text)\" is missing:\n\(result)")
            }
        }
    }

    @Test("a container that keeps ending fails `up --wait` although it is restarted")
    func crashLoop() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    restart: always
                    command: ["sh", "-c", "echo 'no database' >&2; exit 4"]
                    healthcheck: {test: "true", interval: 60s, start_interval: 60s}
                """
            )
            let result = try await project.escale("up", "-d", "--wait").failed()
            for text in ["app-web-1", "keeps ending", "exit code 4", "no database"] {
                #expect(result.errors.contains(text), "\"\(text)\" is missing:\n\(result)")
            }
        }
    }

    @Test("a container that never gets healthy fails `up --wait` with the last probe's output")
    func neverHealthy() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    healthcheck: {test: "echo 'connection refused'; exit 1", interval: 200ms, retries: 2}
                """
            )
            let result = try await project.escale("up", "-d", "--wait").failed()
            for text in ["app-web-1", "unhealthy", "last probe", "connection refused", "hint: "] {
                #expect(result.errors.contains(text), "\"\(text)\" is missing:\n\(result)")
            }
        }
    }

    @Test("--wait-timeout ends the wait and says what is still missing")
    func waitTimeout() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    healthcheck: {test: "echo 'still loading'; exit 1", interval: 60s}
                """
            )
            let result = try await project.escale("up", "-d", "--wait", "--wait-timeout", "1").failed()
            for text in ["app-web-1", "starting", "still loading", "hint: "] {
                #expect(result.errors.contains(text), "\"\(text)\" is missing:\n\(result)")
            }
        }
    }

    @Test("a program that isn't in the image")
    func noSuchProgram() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                "services: {web: {image: busybox, command: gunicorn app}}"
            )
            let result = try await project.escale("up", "-d").failed()
            for text in ["app-web-1", "gunicorn", "hint: check `command`"] {
                #expect(result.errors.contains(text), "\"\(text)\" is missing:\n\(result)")
            }
        }
    }

    @Test("a file to mount that isn't there, a service without containers, a service that doesn't exist")
    func otherNames() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: sleep 600
                    volumes: [{type: bind, source: ./missing.conf, target: /etc/app.conf, bind: {create_host_path: false}}]
                  ended: {image: busybox, command: "true"}
                """
            )
            let mount = try await project.escale("up", "-d", "web").failed()
            for text in ["web", "\(project.directory)/missing.conf", "hint: "] {
                #expect(mount.errors.contains(text), "\"\(text)\" is missing:\n\(mount)")
            }
            try await project.down()
            try await project.up("ended")
            _ = try await project.container("ended") { $0.state == .exited }
            let ended = try await project.escale("exec", "ended", "true").failed()
            #expect(ended.errors.contains("ended") && ended.errors.contains("hint: "), "\(ended)")
            let unknown = try await project.escale("logs", "wbe").failed()
            #expect(unknown.errors.contains("wbe") && unknown.errors.contains("web"), "\(unknown)")
        }
    }
}

import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// What a project goes through: up, changes, logs, exec, down.
@Suite struct LifeTests {
    @Test("up creates network, volume and containers, ps shows them, down removes them and keeps the data")
    func upAndDown() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  db:
                    image: busybox
                    command: ["sh", "-c", "echo run >> /data/runs; exec sleep 600"]
                    stop_signal: SIGKILL
                    volumes: ["data:/data"]
                volumes: {data: {}}
                """
            )
            let up = try await project.up("--wait")
            for line in [
                "Network app_default  Created", "Volume app_data  Created", "Container app-db-1  Started",
            ] {
                #expect(up.text.contains(line), "\(up)")
            }
            let container = try await project.container("db")
            #expect(container.name == "app-db-1" && container.state == .running)
            #expect(container.image == "busybox" && container.addresses.keys.contains("app_default"))
            let table = try await project.escale("ps").ok().output
            #expect(
                table.hasPrefix("NAME") && table.contains("app-db-1") && table.contains("Up "),
                "\(table)"
            )
            #expect(try await escale.escale(["ls"]).ok().output.contains("app"))
            #expect(try await escale.escale(["ls", "-q"]).ok().output == "app\n")

            let down = try await project.down()
            for line in ["Container app-db-1  Removed", "Network app_default  Removed"] {
                #expect(down.text.contains(line), "\(down)")
            }
            #expect(!down.text.contains("Volume"), "\(down)")
            #expect(try await project.containers().isEmpty)

            try await project.up("--wait")
            #expect(
                try await project.shell("db", "cat /data/runs") == "run\nrun",
                "the volume's data survived"
            )
            #expect(try await project.down("-v").text.contains("Volume app_data  Removed"))
            try await project.up("--wait")
            #expect(try await project.shell("db", "cat /data/runs") == "run", "`down -v` removed the data")
        }
    }

    @Test("an unchanged up changes and prints nothing; a changed service alone is recreated")
    func changes() async throws {
        try await EscaleFixture.with { escale in
            let yaml = { (value: String) in
                """
                services:
                  web: {image: busybox, command: sleep 600, stop_signal: SIGKILL, environment: {COLOUR: \(value)}}
                  db: {image: busybox, command: sleep 600, stop_signal: SIGKILL}
                """
            }
            let project = try escale.project("app", yaml("red"))
            try await project.up()
            let first = try await project.containers().map(Identity.init)
            let again = try await project.up()
            #expect(!again.text.contains("Creat") && !again.text.contains("Start"), "\(again)")
            #expect(try await project.containers().map(Identity.init) == first)

            try project.write("compose.yaml", yaml("blue"))
            try await project.up()
            let second = try await project.containers()
            #expect(second.count == 2)
            for container in second {
                let stayed = first.contains(Identity(container))
                #expect(stayed == (container.service.rawValue == "db"), "\(container.name)")
            }
            #expect(try await project.shell("web", "echo $COLOUR") == "blue")

            try await project.up("--force-recreate")
            let third = Set(try await project.containers().map(\.id))
            #expect(third.isDisjoint(with: second.map(\.id)), "--force-recreate recreates all")
            let fourth = Set(
                try await project.up().text.split(separator: "\n").filter { $0.contains("Creat") }
            )
            #expect(fourth.isEmpty, "…once: \(fourth)")
        }
    }

    @Test("services that left the file are warned of, and removed with --remove-orphans")
    func orphans() async throws {
        try await EscaleFixture.with { escale in
            let service = "{image: busybox, command: sleep 600, stop_signal: SIGKILL}"
            let project = try escale.project("app", "services: {web: \(service), old: \(service)}")
            try await project.up()
            try project.write("compose.yaml", "services: {web: \(service)}")
            let warned = try await project.up()
            #expect(
                warned.errors.contains("app-old-1") && warned.errors.contains("--remove-orphans"),
                "\(warned)"
            )
            #expect(try await project.containers().count == 2)
            let removed = try await project.up("--remove-orphans")
            #expect(removed.text.contains("Container app-old-1  Removed"), "\(removed)")
            #expect(try await project.containers().map(\.name) == ["app-web-1"])
        }
    }

    @Test("more and fewer replicas: the ones that stay are not touched")
    func replicas() async throws {
        try await EscaleFixture.with { escale in
            let yaml = { (count: Int) in
                """
                services:
                  web: {image: busybox, command: sleep 600, stop_signal: SIGKILL, deploy: {replicas: \(count)}}
                """
            }
            let project = try escale.project("app", yaml(2))
            try await project.up()
            let two = try await project.containers().map(Identity.init)
            #expect(two.map(\.name) == ["app-web-1", "app-web-2"])
            try project.write("compose.yaml", yaml(4))
            try await project.up()
            let four = try await project.containers().map(Identity.init)
            #expect(four.count == 4 && Array(four.prefix(2)) == two)
            try project.write("compose.yaml", yaml(1))
            try await project.up()
            #expect(try await project.containers().map(Identity.init) == Array(two.prefix(1)))
            #expect(
                try await project.escale("exec", "--index", "2", "web", "true").failed().errors.contains("2")
            )
        }
    }

    @Test("down of a project that isn't there, and up of only one service with what it needs")
    func parts() async throws {
        try await EscaleFixture.with { escale in
            let service = "image: busybox, command: sleep 600, stop_signal: SIGKILL"
            let project = try escale.project(
                "app",
                "services: {web: {\(service), depends_on: [db]}, db: {\(service)}, other: {\(service)}}"
            )
            try await project.down()
            try await project.up("web")
            #expect(try await project.containers().map(\.service.rawValue) == ["db", "web"])
            try await project.up()
            #expect(try await project.containers().count == 3)
            try await project.escale("stop").ok()
            #expect(try await project.containers().allSatisfy { $0.state == .exited })
            #expect(try await project.escale("ps", "-q").ok().output == "", "ps without -a shows what runs")
            try await project.up()
            #expect(try await project.containers().allSatisfy { $0.state == .running })
        }
    }

    @Test("stop_signal is sent, and stop_grace_period is given")
    func stopping() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  polite:
                    image: busybox
                    command: ["sh", "-c", "trap 'echo got USR1 > /data/signal; exit 0' USR1; touch /data/up; while :; do sleep 0.05; done"]
                    stop_signal: SIGUSR1
                    volumes: ["./data:/data"]
                  stubborn:
                    image: busybox
                    command: ["sh", "-c", "trap '' TERM; touch /data/stubborn; while :; do sleep 0.05; done"]
                    stop_grace_period: 1s
                    volumes: ["./data:/data"]
                """
            )
            try await project.up()
            let isUp = try await poll(until: { $0 }) {
                Files.exists("\(project.directory)/data/up")
                    && Files.exists("\(project.directory)/data/stubborn")
            }
            #expect(isUp)
            try await project.escale("stop").ok()
            #expect(try Files.readText("\(project.directory)/data/signal") == "got USR1\n")
            #expect(try await project.container("polite").exitCode == 0)
            #expect(try await project.container("stubborn").exitCode == 137)
            try await project.up()
            try await Task.sleep(for: .milliseconds(200))
            let down = try await project.down()
            #expect(down.duration > .milliseconds(900), "\(down.duration)")
        }
    }

    @Test("attached up shows the output and ends with its containers")
    func attached() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                "services: {job: {image: busybox, command: [sh, -c, 'echo one; sleep 0.3; echo two; exit 5']}}"
            )
            let result = try await project.escale("up", timeout: .seconds(15))
            #expect(!result.timedOut, "\(result)")
            #expect(result.output.contains("job-1") && result.output.contains("one"), "\(result)")
            #expect(result.output.contains("two"), "\(result)")
            #expect(result.text.contains("exited with code 5"), "\(result)")
        }
    }
}

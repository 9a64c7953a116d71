import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// Who finds and reaches whom.
@Suite struct NetworkTests {
    private static let server =
        #"command: ["sh", "-c", "mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"], stop_signal: SIGKILL"#

    @Test("services are found by their name, their alias, and their container's name")
    func names() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web: {image: busybox, \(Self.server), networks: {default: {aliases: [shop, www]}}}
                  named: {image: busybox, \(Self.server), container_name: the-one}
                  client: {image: busybox, command: sleep 600, stop_signal: SIGKILL}
                """
            )
            try await project.up()
            for name in ["web", "shop", "www", "app-web-1", "named", "the-one"] {
                let isReached = try await poll(until: { $0 }) {
                    try await fetches(project, "client", name)
                }
                #expect(isReached, "\(name) is not reached")
            }
            let unknown = try await project.escale("exec", "client", "nslookup", "nobody-here")
            #expect(unknown.status != 0, "\(unknown)")
            #expect(
                unknown.duration < .seconds(3),
                "an unknown name is answered at once: \(unknown.duration)"
            )
            #expect(
                try await project.shell("client", "hostname; grep -c $(hostname) /etc/hosts").hasSuffix("1")
            )
        }
    }

    @Test("who is only on the front network neither resolves nor reaches who is only on the back network")
    func isolation() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  front: {image: busybox, command: sleep 600, stop_signal: SIGKILL, networks: [front]}
                  middle: {image: busybox, \(Self.server), networks: [front, back]}
                  db: {image: busybox, \(Self.server), networks: [back]}
                networks: {front: {}, back: {internal: true}}
                """
            )
            try await project.up()
            let other = try escale.project(
                "other",
                "services: {guest: {image: busybox, command: sleep 600, stop_signal: SIGKILL}}"
            )
            try await other.up()
            let db = try #require(try await project.container("db").addresses["app_back"])
            let middle = try await project.container("middle").addresses
            let middleBack = try #require(middle["app_back"])

            let isUp = try await poll(until: { $0 }) {
                try await fetches(project, "front", "middle")
            }
            #expect(isUp, "front reaches middle")
            #expect(try await fetches(project, "middle", "db"))
            #expect(try await fetches(project, "middle", db))
            #expect(try await !fetches(project, "front", "db"), "front resolves db")
            #expect(try await !fetches(project, "front", db), "front reaches db by its address")
            #expect(
                try await !fetches(project, "front", middleBack),
                "front reaches middle's address on the back network"
            )
            #expect(try await !fetches(other, "guest", "db"), "another project resolves db")
            #expect(try await !fetches(other, "guest", db), "another project reaches db")
            // Even a forged route or address doesn't lead there.
            let forged = try await project.escale(
                "exec",
                "front",
                "sh",
                "-c",
                "ip route add \(db)/32 via 169.254.1.1 dev eth0; timeout 2 wget -q -O - http://\(db)/"
            )
            #expect(forged.status != 0, "\(forged)")
        }
    }

    @Test("an internal network has no way out, others have one")
    func internalNetwork() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  inner: {image: busybox, command: sleep 600, stop_signal: SIGKILL, networks: [inner]}
                  outer: {image: busybox, command: sleep 600, stop_signal: SIGKILL}
                networks: {inner: {internal: true}}
                """
            )
            try await project.up()
            // An address of the host itself that is not Escale's stands in for the world outside.
            let world = try await OutsideWorld(escale)
            #expect(
                try await fetches(project, "outer", world.address, port: world.port, path: "hostname"),
                "outer gets out"
            )
            #expect(
                try await !fetches(project, "inner", world.address, port: world.port, path: "hostname"),
                "inner gets out"
            )
        }
    }

    @Test("no port of the host leads to a service that publishes none")
    func unpublished() async throws {
        try await EscaleFixture.with { escale in
            let port = try FreePort.take()
            let project = try escale.project(
                "app",
                """
                services:
                  hidden:
                    image: busybox
                    command: httpd -f -p \(port) -h /
                    stop_signal: SIGKILL
                    expose: ["\(port)"]
                """
            )
            try await project.up()
            let address = try #require(try await project.container("hidden").addresses.values.first)
            let isUp = try await poll(until: { $0 }) {
                await HTTPProbe.accepts(port, at: address)
            }
            #expect(isUp, "the host itself reaches the container's address")
            #expect(await !HTTPProbe.accepts(port), "127.0.0.1:\(port) leads to it")
            #expect(try await project.escale("port", "hidden", "\(port)").status != 0)
        }
    }

    @Test("replicas share one name and one address, which goes to each of them")
    func replicas() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                """
                services:
                  web: {image: busybox, \(Self.server), scale: 3, healthcheck: {test: "wget -q -O /dev/null http://127.0.0.1/"}}
                  client: {image: busybox, command: sleep 600, stop_signal: SIGKILL}
                """
            )
            try await project.up("--wait")
            let answers = try await project.shell(
                "client",
                "\(Self.lookUp("web")); for i in $(seq 30); do wget -q -O - http://$a/; done | sort | uniq -c | wc -l"
            )
            #expect(answers == "3")
            let addresses = try await project.shell(
                "client",
                "nslookup web | sed -n '/^Name:/,$ s/^Address[^:]*: *//p' | wc -l"
            )
            #expect(addresses == "1", "one address for the service")
            // A replica that calls its own service's name reaches all, itself too.
            let own = try await project.shell(
                "web",
                "\(Self.lookUp("web")); for i in $(seq 30); do timeout 2 wget -q -O - http://$a/; done | sort | uniq -c | wc -l"
            )
            #expect(own == "3")
        }
    }

    private func fetches(
        _ project: TestProject,
        _ service: String,
        _ host: String,
        port: UInt16 = 80,
        path: String = ""
    ) async throws -> Bool {
        let isAddress = host.allSatisfy { $0.isNumber || $0 == "." }
        let find = isAddress ? "a=\(host)" : Self.lookUp(host)
        let fetch = "\(find); test -n \"$a\" && timeout 1 wget -q -O /dev/null http://$a:\(port)/\(path)"
        return try await project.escale("exec", service, "sh", "-c", fetch).status == 0
    }

    /// Finds a name's addresses, for `$a`. The static busybox of the tests asks the resolver only in `nslookup`: its
    /// other programs would need the C library's plug-ins. (Nor does its `wget -T` work.)
    private static func lookUp(_ name: String) -> String {
        "a=$(nslookup \(name) 2>/dev/null | sed -n '/^Name:/,$ s/^Address[^:]*: *//p' | head -n 1)"
    }
}

/// A network namespace beyond a link of the host's, with a web server in it: what is outside, as containers see it.
private struct OutsideWorld {
    let address: String
    let port: UInt16 = 80

    init(_ escale: EscaleFixture) async throws {
        let number = Int.random(in: 0..<16384)
        let (near, far) = (
            "192.168.\(100 + number / 64 % 100).\(number % 64 * 4 + 1)",
            "192.168.\(100 + number / 64 % 100).\(number % 64 * 4 + 2)"
        )
        address = far
        let link = "e2e-\(hexadecimal(UInt32.random(in: 0 ... .max)))"
        let script = "echo ready; exec busybox httpd -f -p 80 -h /etc"
        let server = try await RunningProgram(
            [
                "unshare", "--net", "sh", "-c",
                "ip link set lo up; while ! ip addr show dev w0 2>/dev/null | grep -q \(far); do sleep 0.02; done; \(script)",
            ],
            directory: "/",
            input: "",
            environment: Command.defaultEnvironment,
            scratch: escale.scratch
        )
        escale.onCleanUp("end the outside world") {
            try await server.end()
            _ = try await run("ip", "link", "del", link)
        }
        try await Task.sleep(for: .milliseconds(100))
        let enter = "nsenter --target \(server.pid) --net"
        try await run(
            "sh",
            "-c",
            """
            set -e
            ip link add \(link) type veth peer name w0 netns \(server.pid)
            ip addr add \(near)/30 dev \(link); ip link set \(link) up
            \(enter) ip addr add \(far)/30 dev w0; \(enter) ip link set w0 up
            \(enter) ip route add default via \(near)
            """
        ).ok()
        let isUp = try await poll(until: { $0 }) { await HTTPProbe.accepts(80, at: far) }
        guard isUp else { throw Unexpected("the outside world at \(far) doesn't answer: \(server.errors)") }
    }
}

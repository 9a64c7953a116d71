import EscaleCompose
import EscaleCore
import EscaleGateway
import EscaleNetlink
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

/// A gateway with replicas on loopback addresses of the test's own; ends and removes everything.
actor Fixture {
    nonisolated let scratch: ScratchDirectory
    nonisolated let base: (UInt8, UInt8)
    private(set) var gateway: Gateway
    private var helpers: [Helper] = []

    private init() throws {
        scratch = try ScratchDirectory()
        base = (UInt8.random(in: 100...250), UInt8.random(in: 1...250))
        gateway = try Gateway(directory: scratch("g"), log: Log(level: .error))
    }

    static func with(_ body: (Fixture) async throws -> Void) async throws {
        let fixture = try Fixture()
        do {
            try await body(fixture)
        } catch {
            await fixture.end()
            throw error
        }
        await fixture.end()
    }

    private func end() async {
        try? await gateway.tearDown()
        for helper in helpers { await helper.end() }
    }

    /// As the next daemon would find it.
    func restart() throws { gateway = try Gateway(directory: scratch("g"), log: Log(level: .error)) }

    nonisolated func address(_ last: UInt8) -> IPv4Address { IPv4Address(127, base.0, base.1, last) }
    nonisolated var url: String { "http://\(address(1)):8080" }

    nonisolated func server(_ last: UInt8, isNew: Bool = false, port: UInt16 = 9000) -> GatewayServer {
        GatewayServer(
            container: ContainerID(rawValue: hexadecimal(UInt64(last))), address: address(last), port: port, isNew: isNew)
    }

    nonisolated func state(
        _ servers: [GatewayServer], routes: [GatewayRoute]? = nil, settings change: (inout HTTPSettings) -> Void = { _ in }
    ) -> GatewayState {
        var settings = HTTPSettings()
        change(&settings)
        return GatewayState(
            listeners: [
                GatewayListener(
                    hostAddress: address(1), port: 8080,
                    routes: routes ?? [GatewayRoute(target: .backend(web, versions: .all))])
            ],
            backends: [GatewayBackend(name: web, settings: settings, servers: servers)])
    }

    /// Replicas that answer with their number, do what the path says, and can be killed.
    @discardableResult
    func replica(_ last: UInt8, port: UInt16 = 9000) async throws -> Helper {
        let arguments = ["-c", replicaScript, "\(last)", "\(address(last))", "\(port)"]
        let helper = try await spawn(Command("/usr/bin/python3", arguments))
        try await reachable(last, port)
        return helper
    }

    /// Replicas that can take any load: `127.x.y.<last>`, for each, in one process. Answers with the address.
    func fastReplicas(_ lasts: ClosedRange<UInt8>) async throws {
        let binds = lasts.map { "    bind \(address($0)):9000\n" }.joined()
        try scratch.file(
            "fast.cfg",
            """
            defaults
                mode http
                timeout client 60s
                timeout connect 1s
                timeout server 60s
            frontend f
            \(binds)    http-request return status 200 content-type text/plain lf-string "%[dst]"

            """)
        _ = try await spawn(Command("/usr/sbin/haproxy", ["-db", "-f", scratch("fast.cfg")]))
        try await reachable(lasts.lowerBound, 9000)
    }

    func spawn(_ command: Command) async throws -> Helper {
        let output = try FileDescriptor(scratch("helpers.log"), O_WRONLY | O_CREAT | O_APPEND)
        let null = try FileDescriptor("/dev/null", O_RDONLY)
        let helper = Helper(try await command.blockingSpawn([null, output, output]))
        helpers.append(helper)
        return helper
    }

    private func reachable(_ last: UInt8, _ port: UInt16) async throws {
        for _ in 0..<500 {
            let answer = try await Command("/usr/bin/curl", ["-s", "-m", "2", "http://\(address(last)):\(port)/"]).run()
            if answer.status == 0 { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw EscaleError(.internalFault, "replica \(last) doesn't come up")
    }

    /// What curl says to these arguments, `-s -i` among them.
    nonisolated func curl(_ arguments: String...) async throws -> Answer {
        let result = try await Command("/usr/bin/curl", ["-s", "-i", "-m", "60"] + arguments).run(timeout: .seconds(90))
        return Answer(result.text)
    }

    /// Load on the gateway for that long; how many requests were answered, and how many went wrong in any way.
    nonisolated func load(_ seconds: Int, path: String = "/", connections: Int = 20) async throws -> (done: Int, failed: Int, text: String) {
        let arguments = ["-t1", "-c\(connections)", "-d\(seconds)s", url + path]
        let text = try await Command("/usr/bin/wrk", arguments).run(timeout: .seconds(60)).text
        var done = 0
        var failed = 0
        for line in text.split(separator: "\n") {
            let numbers = line.split { !$0.isNumber }.compactMap { Int($0) }
            if line.contains("requests in") { done = numbers.first ?? 0 }
            if line.contains("Socket errors") || line.contains("Non-2xx") { failed += numbers.dropFirst(line.contains("Non") ? 2 : 0).reduce(0, +) }
        }
        return (done, failed, text)
    }

    /// How often HAProxy was reloaded since it was started.
    nonisolated func reloads() throws -> Int {
        try Files.readText(scratch("g/haproxy.log")).split(separator: "\n").count { $0.contains("Reloading HAProxy") }
    }

    nonisolated var master: Int32? {
        (try? Files.readText(scratch("g/pid"))).flatMap { Int32($0.prefix { $0.isNumber }) }
    }
}

struct Answer: Sendable {
    let status: Int
    let headers: String
    let body: String

    init(_ text: String) {
        var rest = Substring(text)
        var head: Substring = ""
        repeat {
            guard let end = rest.range(of: "\r\n\r\n") else { break }
            head = rest[..<end.lowerBound]
            rest = rest[end.upperBound...]
        } while rest.hasPrefix("HTTP/")
        let words = head.split(whereSeparator: \.isWhitespace)
        status = words.count > 1 ? Int(words[1]) ?? 0 : 0
        headers = String(head)
        body = String(rest)
    }
}

extension Substring {
    fileprivate func range(of text: String) -> Range<Index>? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) {
                return index..<self.index(index, offsetBy: text.count)
            }
            index = self.index(after: index)
        }
        return nil
    }
}

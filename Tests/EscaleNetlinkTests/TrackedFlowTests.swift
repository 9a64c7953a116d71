import EscaleCore
import EscaleNetlink
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

/// Real connections, in network namespaces of the tests' own, through an address translation as services have it:
/// who asks for 10.99.0.1 gets 10.99.0.2 or, at port 81, 10.99.0.3.
@Suite struct TrackedFlowTests {
    @Test func countsConnectionsByTheirRealReceiverWhileEitherSideMaySpeak() async throws {
        let counts = try await inNamespace(
            """
            three = [connected("10.99.0.1", 80) for _ in range(3)]
            other = connected("10.99.0.1", 81)
            direct = connected("10.99.0.3", 8080)
            half_closed = connected("10.99.0.1", 80)
            half_closed[0].shutdown(socket.SHUT_WR)
            over = connected("10.99.0.1", 80)
            over[0].close(); over[1].close()
            reset = connected("10.99.0.1", 80)
            reset[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            reset[0].close()
            """
        ) { try TCPConnections.counts(of: IPv4Address.self) }
        #expect(counts == [address("10.99.0.2"): 4, address("10.99.0.3"): 2])
    }

    @Test func leavesOutThoseThatTheGatewayKeepsOpen() async throws {
        let counts = try await inNamespace(
            """
            kept = [connected("10.99.0.2", 8080, "10.99.0.9") for _ in range(5)]
            translated = connected("10.99.0.1", 81, "10.99.0.9")
            client = connected("10.99.0.1", 80)
            """
        ) {
            (
                try TCPConnections.counts(of: IPv4Address.self, leavingOutFrom: [address("10.99.0.9")]),
                try TCPConnections.counts(of: IPv4Address.self),
                try TCPConnections.count(to: address("10.99.0.2"), leavingOutFrom: [address("10.99.0.9")]),
                try TCPConnections.count(to: address("10.99.0.3")),
                try TCPConnections.count(to: address("10.99.0.1"))
            )
        }
        #expect(counts.0 == [address("10.99.0.2"): 1])
        #expect(counts.1 == [address("10.99.0.2"): 6, address("10.99.0.3"): 1])
        #expect([counts.2, counts.3, counts.4] == [1, 1, 0])
    }

    @Test func aNamespaceWithoutConnectionsHasNone() async throws {
        #expect(try await inNamespace("") { try TCPConnections.counts(of: IPv4Address.self) }.isEmpty)
        #expect(try await inNamespace("") { try UDPFlow<IPv4Address>.seen(within: 10) }.isEmpty)
    }

    @Test func knowsWhichUDPFlowsWereSeenLately() async throws {
        let flows = try await inNamespace(
            """
            def say(port):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.bind(("10.99.0.4", port)); s.sendto(b"?", ("10.99.0.1", 53)); s.recv(9)
                return s
            servers = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); servers.bind(("10.99.0.2", 5353))
            def echo():
                while True:
                    data, peer = servers.recvfrom(9); servers.sendto(data, peer)
            threading.Thread(target=echo, daemon=True).start()
            earlier = say(4001)
            time.sleep(7.2)
            later = say(4002)
            """
        ) { (try UDPFlow<IPv4Address>.seen(within: 5), try UDPFlow<IPv4Address>.seen(within: 20)) }
        #expect(flows.0.map(\.sourcePort) == [4002])
        #expect(flows.0.map(\.receiver) == [address("10.99.0.2")])
        #expect(Set(flows.1.map(\.sourcePort)) == [4001, 4002])
    }

    @Test func otherProtocolsAreNotMistakenForConnections() async throws {
        let seen = try await inNamespace(
            """
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for port in range(1000, 1100): s.sendto(b"?", ("10.99.0.2", port))
            client = connected("10.99.0.1", 80)
            """
        ) { (try TCPConnections.counts(of: IPv4Address.self), try UDPFlow<IPv4Address>.all().count) }
        #expect(seen.0 == [address("10.99.0.2"): 1])
        #expect(seen.1 == 100)
    }

    @Test func knowsThoseOfIPv6Too() async throws {
        let seen = try await inNamespace(
            """
            six = socket.socket(socket.AF_INET6); six.bind(("::", 8086)); six.listen(64)
            def connected6(host, port):
                client = socket.create_connection((host, port), 5)
                return client, six.accept()[0]
            service = [connected6("fd99::1", 80) for _ in range(2)]
            direct = connected6("fd99::2", 8086)
            s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(b"?", ("fd99::1", 53))
            """
        ) {
            let flows = try UDPFlow<IPv6Address>.all()
            for flow in flows { try flow.forget() }
            return (
                try TCPConnections.counts(of: IPv6Address.self), try TCPConnections.counts(of: IPv4Address.self),
                try TCPConnections.count(to: IPv6Address(rawValue: 0xfd99 << 112 | 2)), flows,
                try UDPFlow<IPv6Address>.all().count
            )
        }
        #expect(seen.0.map { "\($0.key) \($0.value)" } == ["fd99::2 3"])
        #expect(seen.1.isEmpty && seen.2 == 3)
        #expect(seen.3.map { "\($0.destination) \($0.destinationPort) \($0.receiver)" } == ["fd99::1 53 fd99::2"])
        #expect(seen.4 == 0, "they are forgotten")
    }

    /// Has the script make connections in a new network namespace, then looks from inside it.
    private func inNamespace<Value: Sendable>(
        _ script: String, _ look: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let scratch = try ScratchDirectory()
        try scratch.file("rules", rules)
        let ready = scratch("ready")
        try scratch.file("connect.py", "\(preparation)\n\(script)\nopen('\(ready)', 'w').close()\ntime.sleep(1000)\n")
        let addresses = [1, 2, 3, 4, 9].map { "ip addr add 10.99.0.\($0)/32 dev lo" }
            + [1, 2].map { "ip addr add fd99::\($0)/128 dev lo nodad" }
        let connect = "exec /usr/bin/python3 -I -S \(scratch("connect.py"))"
        let commands = ["ip link set lo up"] + addresses + ["nft -f \(scratch("rules"))", connect]
        let null = try FileDescriptor("/dev/null", O_RDWR)
        let log = try FileDescriptor(scratch("log"), O_WRONLY | O_CREAT)
        let child = try await Command("/usr/bin/unshare", ["-n", "/bin/sh", "-c", commands.joined(separator: " && ")])
            .blockingSpawn([null, log, log])
        do {
            for _ in 0..<3000 where !Files.exists(ready) { try await Task.sleep(for: .milliseconds(5)) }
            let output = try scratch.text("log")
            try #require(Files.exists(ready), "\(output)")
            let namespace = try await blocking { try NetworkNamespace(ofProcess: child.pid) }
            let value = try await onNewThread {
                try namespace.enter()
                return try look()
            }
            await stop(child)
            return value
        } catch {
            await stop(child)
            throw error
        }
    }

    private func stop(_ child: ChildProcess) async {
        child.signal(SIGKILL)
        _ = try? await child.wait()  // reaped is all that matters
    }

    private let rules = """
        table ip nat {
            chain output {
                type nat hook output priority -100
                ip daddr 10.99.0.1 tcp dport 80 dnat to 10.99.0.2:8080
                ip daddr 10.99.0.1 tcp dport 81 dnat to 10.99.0.3:8080
                ip daddr 10.99.0.1 udp dport 53 dnat to 10.99.0.2:5353
            }
        }
        table ip6 nat {
            chain output {
                type nat hook output priority -100
                ip6 daddr fd99::1 tcp dport 80 dnat to [fd99::2]:8086
                ip6 daddr fd99::1 udp dport 53 dnat to [fd99::2]:5353
            }
        }

        """

    /// `connected(host, port[, source])` is both ends of a new connection.
    private let preparation = """
        import socket, struct, threading, time
        listener = socket.socket(); listener.bind(("0.0.0.0", 8080)); listener.listen(64)
        def connected(host, port, source="10.99.0.4"):
            client = socket.socket(); client.settimeout(5); client.bind((source, 0)); client.connect((host, port))
            server, _ = listener.accept()
            return client, server
        """
}

private func address(_ text: String) -> IPv4Address {
    // The tests' own literals: one that can't be read is nobody's address.
    IPv4Address(text) ?? IPv4Address(rawValue: 0)
}

import EscaleCompose
import EscaleCore
import EscaleGateway
import EscaleSystem
import EscaleTestSupport
import Testing

/// Behind another load balancer the client is who that one says, and the container can be told the same way.
@Suite struct ProxyProtocolTests {
    @Test func theClientIsPassedOnFromEndToEnd() async throws {
        try await Fixture.with { f in
            // Another HAProxy is the container: it takes the protocol and answers with whom it believes to talk to.
            try f.scratch.file(
                "told.cfg",
                """
                defaults
                    mode http
                    timeout client 60s
                frontend f
                    bind \(f.address(10)):9000 accept-proxy
                    http-request return status 200 content-type text/plain lf-string "%[src] %[req.hdr(x-forwarded-for)]"

                """)
            _ = try await f.spawn(Command("/usr/sbin/haproxy", ["-db", "-f", f.scratch("told.cfg")]))
            var state = f.state([f.server(10)]) { $0.sendsProxyProtocol = true }
            state.listeners[0].acceptsProxyProtocol = true
            try await f.gateway.apply(state)
            var said = ""
            for _ in 0..<100 where !said.contains("200 OK") {
                said = try await f.say("PROXY TCP4 203.0.113.7 203.0.113.1 4711 80")
                if !said.contains("200 OK") { try await Task.sleep(for: .milliseconds(100)) }  // it isn't up yet
            }
            #expect(said.contains("203.0.113.7 203.0.113.7"), "\(said)")
            let without = try await f.curl(f.url)
            #expect(without.status != 200, "who says nothing of the client isn't served: \(without)")
        }
    }
}

extension Fixture {
    /// What the gateway answers to a request behind that line.
    fileprivate nonisolated func say(_ line: String) async throws -> String {
        let script = """
            exec 3<>/dev/tcp/\(address(1))/8080
            printf '\(line)\\r\\nGET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3
            cat <&3
            """
        return try await Command("/bin/bash", ["-c", script]).run(timeout: .seconds(30)).text
    }
}

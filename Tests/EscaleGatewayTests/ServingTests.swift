import EscaleCompose
import EscaleCore
import EscaleGateway
import EscaleNetlink
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

@Suite struct ServingTests {
    @Test func requestsAreRoutedAndSaySoThemselves() async throws {
        try await Fixture.with { f in
            try await f.replica(10)
            let state = f.state(
                [f.server(10)],
                routes: [
                    GatewayRoute(hosts: ["shop.example.org"], path: "/api", target: .backend(web, versions: .all)),
                    GatewayRoute(hosts: ["*.example.org"], path: "/headers", target: .backend(web, versions: .all)),
                    GatewayRoute(hosts: ["secure.example.org"], target: .redirectToTLS(8443)),
                ])
            try await f.gateway.apply(state)
            func get(_ host: String, _ path: String, _ more: String...) async throws -> Answer {
                let result = try await Command(
                    "/usr/bin/curl", ["-s", "-i", "-m", "10", "--path-as-is", "-H", "Host: \(host)"] + more + [f.url + path]
                ).run()
                return Answer(result.text)
            }
            #expect(try await get("Shop.example.org:8080", "/api").body == "10")
            #expect(try await get("shop.example.org", "/api/x").status == 200)
            let apix = try await get("shop.example.org", "/apix")
            #expect(apix.status == 404)
            #expect(apix.body == "nothing is served at this host and path\n")
            #expect(try await get("a.b.example.org", "/headers").status == 404)
            let redirect = try await get("secure.example.org", "/a?b=1")
            #expect(redirect.status == 308)
            #expect(redirect.headers.contains("location: https://secure.example.org:8443/a?b=1"))

            let lies = ["-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Forwarded-Proto: https", "-H", "X-Request-ID: a b", "-H", "Forwarded: for=1"]
            let seen = try await Command(
                "/usr/bin/curl", ["-s", "-H", "Host: x.example.org"] + lies + [f.url + "/headers"]).run().text
            #expect(seen.contains(#""x-forwarded-for": "127.0.0.1""#), "\(seen)")
            #expect(seen.contains(#""x-forwarded-proto": "http""#))
            #expect(seen.contains(#""x-forwarded-host": "x.example.org""#))
            #expect(seen.contains(#""x-forwarded-port": "8080""#))
            #expect(!seen.contains("a b") && !seen.contains("for=1"))
            let kept = try await get("x.example.org", "/headers", "-H", "X-Request-ID: abc-1")
            #expect(kept.body.contains(#""x-request-id": "abc-1""#))
            let h2 = try await get("x.example.org", "/headers", "--http2-prior-knowledge")
            #expect(h2.headers.hasPrefix("HTTP/2 200"))

            _ = try await get("ev\"il\\\u{7f}ä.example.org", "/x%22\"\\ü?q=\"", "-H", "X-Request-ID: \"\\")
            let check = try await Command("/usr/bin/jq", ["-c", "[.status,.path]", f.gateway.accessLogFile]).run()
            #expect(check.status == 0, "\(check.text)")
            var reader = AccessLogReader(path: await f.gateway.accessLogFile)
            let entries = try reader.next()
            #expect(entries.count == 9)
            #expect(entries.first?.server == f.address(10))
            #expect(entries.first?.serverPort == 9000)
            #expect(entries.first?.backend == web)
            #expect(entries.first?.status == 200)
            #expect(entries.first?.termination.isNormal == true)
            #expect(entries[2].server == nil)
            #expect(try reader.next().isEmpty)
        }
    }

    @Test func limitsAnswerForThemselves() async throws {
        try await Fixture.with { f in
            try await f.replica(10)
            try await f.gateway.apply(
                f.state([f.server(10)]) {
                    $0.maxBody = ByteCount(1000)
                    $0.rateLimit = .init(requests: 5, period: .seconds(30))
                    $0.timeout = .milliseconds(300)
                    $0.retries = 0
                })
            #expect(try await f.curl("-d", String(repeating: "x", count: 1001), f.url + "/length").status == 413)
            #expect(try await f.curl("-d", String(repeating: "x", count: 999), f.url + "/length").body.hasPrefix("999 "))
            let slow = try await f.curl(f.url + "/slow?2")
            #expect(slow.status == 504)
            #expect(slow.body == "the service took too long to answer\n")
            for _ in 0..<2 { #expect(try await f.curl(f.url).status == 200) }
            let refused = try await f.curl(f.url)
            #expect(refused.status == 429)
            #expect(refused.headers.contains("retry-after: 30"))
        }
    }

    @Test func requestsWaitForAReplica() async throws {
        try await Fixture.with { f in
            try await f.replica(10)
            var state = f.state([f.server(10)]) { $0.hold = .milliseconds(1500) }
            state.backends[0].servers[0].isTaking = false
            try await f.gateway.apply(state)
            let start = ContinuousClock.now
            let late = try await f.curl(f.url)
            #expect(late.status == 503)
            #expect(late.headers.contains("retry-after: 1"))
            #expect(ContinuousClock.now - start > .seconds(1))
            let body = String(repeating: "0123456789", count: 10_000)
            try f.scratch.file("body", body)
            async let held = f.curl("--data-binary", "@\(f.scratch("body"))", f.url + "/length")
            async let heldToo = f.curl("--http2-prior-knowledge", "--data-binary", "@\(f.scratch("body"))", f.url + "/length")
            try await Task.sleep(for: .milliseconds(300))
            state.backends[0].servers[0].isTaking = true
            try await f.gateway.apply(state)
            #expect(try await held.body.hasPrefix("100000 "))
            #expect(try await heldToo.body.hasPrefix("100000 "))
        }
    }

    @Test func stickyClientsStayUntilTheirReplicaDrains() async throws {
        try await Fixture.with { f in
            try await f.fastReplicas(10...12)
            var state = f.state([f.server(10), f.server(11), f.server(12)]) { $0.stickyCookie = "replica" }
            try await f.gateway.apply(state)
            let jar = f.scratch("jar")
            let first = try await f.curl("-c", jar, f.url)
            #expect(first.headers.contains("HttpOnly"))
            for _ in 0..<4 { #expect(try await f.curl("-b", jar, f.url).body == first.body) }
            for index in state.backends[0].servers.indices {
                state.backends[0].servers[index].isTaking = state.backends[0].servers[index].address.description != first.body
            }
            try await f.gateway.apply(state)
            for _ in 0..<4 { #expect(try await f.curl("-b", jar, f.url).body != first.body) }
        }
    }

    @Test func whatIsWrongIsNamed() async throws {
        try await Fixture.with { f in
            try await f.fastReplicas(10...10)
            func code(_ state: GatewayState) async -> String {
                do {
                    try await f.gateway.apply(state)
                    return "none"
                } catch let error as EscaleError {
                    return error.code.rawValue + " " + error.message
                } catch { return "\(error)" }
            }
            var state = f.state([f.server(10)])
            #expect(await code(state) == "none")
            state.listeners.append(
                GatewayListener(hostAddress: f.address(10), port: 9000, routes: state.listeners[0].routes))
            #expect(await code(state) == "gateway.port-in-use port 9000 on \(f.address(10)) is already in use")
            state.listeners[1] = GatewayListener(
                hostAddress: IPv4Address(192, 0, 2, 77), port: 9001, routes: state.listeners[0].routes)
            #expect(await code(state).hasPrefix("gateway.address "))
            let missing = f.scratch("none.pem")
            state.listeners[1] = GatewayListener(
                hostAddress: f.address(1), port: 8443, security: .tls([.init(certificate: missing, key: missing)]),
                routes: state.listeners[0].routes)
            #expect(await code(state) == "gateway.certificate the certificate file \(missing) can't be used: there is no such file")
            #expect(try await f.curl(f.url).status == 200)
        }
    }
}

import EscaleCompose
import EscaleCore
import EscaleGateway
import EscaleNetlink
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

@Suite struct VersionTests {
    private func state(_ f: Fixture, share: Int?, isSticky: Bool = false) -> GatewayState {
        var state = f.state(
            (10...13).map { f.server($0) } + [f.server(14, isNew: true)],
            routes: [
                GatewayRoute(target: .backend(web, versions: .all)),
                GatewayRoute(hosts: ["preview"], target: .backend(web, versions: .newOnly)),
            ])
        state.backends[0].hasVersions = true
        state.backends[0].isSticky = isSticky
        state.backends[0].newShare = share
        return state
    }

    @Test func sharesHoldAndOverridesChoose() async throws {
        try await Fixture.with { f in
            try await f.fastReplicas(10...14)
            var state = state(f, share: 10)
            try await f.gateway.apply(state)
            let new = f.address(14).description
            for share in [10, 35] {
                state.backends[0].newShare = share
                try await f.gateway.apply(state)
                let before = try await f.gateway.counters()
                let load = try await Command("/usr/bin/h2load", ["-n20000", "-c10", "-m4", f.url + "/"]).run(timeout: .seconds(60))
                #expect(load.text.contains("20000 succeeded"), "\(load.text)")
                let after = try await f.gateway.counters()
                let served = (after[f.server(14).container]?.requests ?? 0) - (before[f.server(14).container]?.requests ?? 0)
                #expect(abs(Double(served) / 200 - Double(share)) < 1.5, "\(share) %: \(served)")
            }
            #expect(try await f.curl("-H", "X-Escale-Release: New", f.url).body == new)
            #expect(try await f.curl("-b", "escale-release=new", f.url).body == new)
            for _ in 0..<12 { #expect(try await f.curl("-H", "X-Escale-Release: old", f.url).body != new) }
            #expect(try await f.curl("-H", "Host: preview", f.url).body == new)

            state.backends[0].servers[4].isTaking = false
            try await f.gateway.apply(state)
            #expect(try await f.curl("-H", "X-Escale-Release: new", f.url).status == 200)
            #expect(try await f.curl("-H", "Host: preview", f.url).status == 503)
        }
    }

    @Test func aStickyClientKeepsTheNewVersionWhileTheShareGrows() async throws {
        try await Fixture.with { f in
            try await f.fastReplicas(10...14)
            try await f.gateway.apply(state(f, share: 0, isSticky: true))
            let new = f.address(14).description
            let first = try await f.curl(f.url)
            #expect(first.body != new)
            #expect(first.headers.contains("set-cookie: escale-release-draw="))
            func isNew(_ draw: Int) async throws -> Bool {
                try await f.curl("-b", "escale-release-draw=\(draw)", f.url).body == new
            }
            for share in [1, 30, 60] {
                try await f.gateway.apply(state(f, share: share, isSticky: true))
                #expect(try await isNew(share * 100 - 1))
                #expect(try await !isNew(share * 100))
                #expect(try await isNew(0))
            }
            let again = try await f.curl("-b", "escale-release-draw=77", f.url)
            #expect(!again.headers.contains("set-cookie"))
            #expect(try f.reloads() == 0)
        }
    }
}

import EscaleCompose
import EscaleCore
import EscaleGateway
import EscaleNetlink
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

/// Nothing that Escale does to replicas, HAProxy or itself may cost a request.
@Suite struct ReplacementTests {
    @Test func replicasComeDrainAndGoUnderLoad() async throws {
        try await Fixture.with { f in
            try await f.fastReplicas(10...15)
            var state = f.state([f.server(10), f.server(11)])
            try await f.gateway.apply(state)
            let pid = f.master
            async let load = f.load(3)
            async let load2 = Command("/usr/bin/h2load", ["-c4", "-m8", "-D3", f.url + "/"]).run(timeout: .seconds(30))
            try await Task.sleep(for: .milliseconds(200))
            for round in 0..<20 {
                // One comes, one drains, one that drained goes.
                state.backends[0].servers.removeAll { !$0.isTaking }
                state.backends[0].servers[0].isTaking = false
                let used = Set(state.backends[0].servers.map(\.address))
                let next = try #require((10...15).map { f.server($0) }.first { !used.contains($0.address) })
                var fresh = next
                fresh.container = ContainerID(rawValue: "\(next.container)-\(round)")
                state.backends[0].servers.append(fresh)
                try await f.gateway.apply(state)
                try await Task.sleep(for: .milliseconds(100))
            }
            let result = try await load
            #expect(result.failed == 0 && result.done > 500, "\(result.text)")
            let h2 = try await load2.text
            #expect(h2.contains(" 0 failed, 0 errored, 0 timeout"), "\(h2)")
            #expect(f.master == pid)
            let gone = try await f.gateway.counters()
            #expect(Set(gone.keys) == Set(state.backends[0].servers.map(\.container)))
        }
    }

    @Test func nothingOldIsServedAfterADrain() async throws {
        try await Fixture.with { f in
            try await f.replica(10)
            try await f.replica(11)
            var state = f.state([f.server(10)])
            try await f.gateway.apply(state)
            async let held = f.curl(f.url + "/held")
            for _ in 0..<2000 where try await f.gateway.sessions(of: f.server(10).container) == 0 {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try await f.gateway.sessions(of: f.server(10).container) == 1)
            state.backends[0].servers[0].isTaking = false
            state.backends[0].servers.append(f.server(11))
            try await f.gateway.apply(state)
            for _ in 0..<5 { #expect(try await f.curl(f.url).body == "11") }
            #expect(try await f.gateway.sessions(of: f.server(10).container) == 1)
            _ = try await f.curl("http://\(f.address(10)):9000/go")
            #expect(try await held.body == "10")
            #expect(try await f.gateway.sessions(of: f.server(10).container) == 0)
            let counters = try await f.gateway.counters()
            #expect(counters[f.server(10).container]?.requests == 1)
            #expect(counters[f.server(11).container]?.status2xx == 5)
        }
    }

    @Test func reloadsLoseNothingAndTheNextDaemonAdopts() async throws {
        try await Fixture.with { f in
            try await f.fastReplicas(10...13)
            var state = f.state([f.server(10), f.server(11)])
            try await f.gateway.apply(state)
            let master = f.master
            async let load = f.load(4)
            try await Task.sleep(for: .milliseconds(200))
            for round in 0..<3 {
                state.backends[0].settings.timeout = .seconds(50 + round)
                try await f.gateway.apply(state)
                try await Task.sleep(for: .milliseconds(150))
            }
            let before = try await f.gateway.counters()
            try await f.restart()
            #expect(try f.reloads() == 3)
            try await f.gateway.apply(state)
            #expect(try await !f.gateway.verify())
            #expect(try f.reloads() == 3)
            state.backends[0].servers[0] = f.server(12)
            try await f.gateway.apply(state)
            for _ in 0..<8 { #expect(try await f.curl(f.url).status == 200) }
            let after = try await f.gateway.counters()
            let kept = f.server(11).container
            #expect((after[kept]?.requests ?? 0) > (before[kept]?.requests ?? .max))
            #expect((after[f.server(12).container]?.requests ?? 0) > 0)
            let result = try await load
            #expect(result.failed == 0 && result.done > 500, "\(result.text)")
            #expect(f.master == master)
        }
    }

    @Test func aDeadHAProxyIsStartedAgain() async throws {
        try await Fixture.with { f in
            try await f.fastReplicas(10...10)
            try await f.gateway.apply(f.state([f.server(10)]))
            #expect(try await !f.gateway.verify())
            kill(try #require(f.master), SIGKILL)
            try await Task.sleep(for: .milliseconds(100))
            #expect(try await f.gateway.verify())
            #expect(try await f.curl(f.url).status == 200)
            #expect(try await !f.gateway.verify())
            try await f.gateway.apply(GatewayState())
            #expect(f.master == nil)
        }
    }

    @Test func webSocketsOutliveReloadsAndOthersDrains() async throws {
        try await Fixture.with { f in
            try await f.replica(10)
            var state = f.state([f.server(10)])
            try await f.gateway.apply(state)
            let script = """
                import asyncio, os, websockets
                async def main():
                    async with websockets.connect("ws://\(f.address(1)):8080/ws") as ws:
                        count = 0
                        while count < 5 or not os.path.exists("\(f.scratch("enough"))"):
                            await ws.send(str(count)); assert await ws.recv() == str(count); await asyncio.sleep(0.1)
                            count += 1
                    print("all were echoed")
                asyncio.run(main())
                """
            async let talk = Command("/usr/bin/python3", ["-c", script]).run(timeout: .seconds(30))
            while try await f.gateway.sessions(of: f.server(10).container) == 0 { try await Task.sleep(for: .milliseconds(20)) }
            state.backends[0].settings.timeout = .seconds(50)
            try await f.gateway.apply(state)
            #expect(try await f.gateway.sessions(of: f.server(10).container) == 1)  // in the old worker
            try await f.replica(11)
            state.backends[0].servers.append(f.server(11))
            state.backends[0].servers[0].isTaking = false
            try await f.gateway.apply(state)
            #expect(try await f.gateway.sessions(of: f.server(10).container) == 1)
            try f.scratch.file("enough", "")
            let said = try await talk.text
            #expect(said.contains("all were echoed"), "\(said)")
        }
    }

    @Test func aKilledReplicaCostsNoIdempotentRequest() async throws {
        try await Fixture.with { f in
            let victim = try await f.replica(10)
            try await f.replica(11)
            try await f.replica(12)
            try await f.gateway.apply(f.state([f.server(10), f.server(11), f.server(12)]))
            async let load = f.load(2, path: "/slow?0.01")
            try await Task.sleep(for: .milliseconds(700))
            await victim.end()
            let result = try await load
            #expect(result.failed == 0 && result.done > 100, "\(result.text)")
        }
    }

    @Test func aPostIsNotSentTwice() async throws {
        try await Fixture.with { f in
            try await f.replica(10)
            try await f.replica(11)
            try await f.gateway.apply(f.state([f.server(10), f.server(11)]))
            #expect(try await f.curl("-d", "x", f.url + "/drop").status == 502)
            let counts = [try await f.curl("http://\(f.address(10)):9000/count").body, try await f.curl("http://\(f.address(11)):9000/count").body]
            #expect(counts.sorted() == ["0", "1"])
        }
    }

    @Test func failingReplicasRestUnlessAllFail() async throws {
        try await Fixture.with { f in
            try await f.replica(10)
            try await f.replica(11)
            let state = f.state([f.server(10), f.server(11)]) {
                $0.ejectAfter = 3
                $0.ejectFor = .seconds(2)
                $0.hold = .seconds(1)
            }
            try await f.gateway.apply(state)
            for _ in 0..<12 { #expect(try await f.curl(f.url + "/status?500").status == 500) }
            #expect(try await f.curl(f.url).status == 200)
            try await Task.sleep(for: .milliseconds(2600))
            var seen = Set<String>()
            for _ in 0..<6 { seen.insert(try await f.curl(f.url).body) }
            #expect(seen == ["10", "11"])
        }
    }
}

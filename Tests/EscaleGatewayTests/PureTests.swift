import EscaleCompose
import EscaleCore
import EscaleGateway
import EscaleNetlink
import EscaleSystem
import EscaleTestExpectations
import Testing

@Suite struct PureTests {
    @Test func namesAreCheckedAndReadBack() throws {
        let name = try BackendName(validating: "shop/web.api/8080")
        #expect(name == BackendName(project: .init(rawValue: "shop"), service: .init(rawValue: "web.api"), port: 8080))
        for bad in ["shop/api", "Shop/api/80", "shop/api/0", "shop/api/080", "shop/a:b/80", "shop/api/80/x", "//80"] {
            #expect(!BackendName.accepts(bad), "\(bad)")
        }
    }

    @Test func sharesAreMetWithinHalfAPoint() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let newCount = Int.random(in: 1...8, using: &generator)
            let oldCount = Int.random(in: 1...8, using: &generator)
            let share = Int.random(in: 1...99, using: &generator)
            let servers = sampleServers(new: newCount, old: oldCount)
            let weights = TrafficWeights(servers, newShare: share).weights.map { $0 ?? 0 }
            #expect(weights.allSatisfy { (1...256).contains($0) })
            let new = zip(servers, weights).reduce(0) { $0 + ($1.0.isNew ? $1.1 : 0) }
            let reached = 100 * Double(new) / Double(weights.reduce(0, +))
            // What the smallest weight of 1 against 256 allows.
            let floor = 100 * Double(newCount) / Double(newCount + 256 * oldCount)
            let ceiling = 100 * Double(256 * newCount) / Double(256 * newCount + oldCount)
            let nearest = min(max(Double(share), floor), ceiling)
            #expect(abs(reached - nearest) <= 0.5, "\(newCount):\(oldCount) \(share) % → \(reached) %")
        }
    }

    @Test func aVersionWithoutReplicasLeavesEverythingToTheOther() {
        var servers = sampleServers(new: 1, old: 2)
        #expect(TrafficWeights(servers, newShare: 0).weights == [nil, 1, 1])
        #expect(TrafficWeights(servers, newShare: 100).weights == [1, nil, nil])
        #expect(TrafficWeights(servers, newShare: nil).weights == [1, 1, 1])
        servers[0].isTaking = false
        #expect(TrafficWeights(servers, newShare: 10).weights == [nil, 1, 1])
        #expect(TrafficWeights(servers, newShare: 100).weights == [nil, 1, 1])
        servers = sampleServers(new: 1, old: 2)
        servers[1].isTaking = false
        servers[2].isTaking = false
        #expect(TrafficWeights(servers, newShare: 0).weights == [1, nil, nil])
    }

    @Test func aContainerKeepsItsSlot() {
        #expect([0, 1, 3, 4, 7, 8, 50].map(SlotTable.capacity(for:)) == [8, 8, 8, 16, 16, 32, 128])
        let table = slotTableProperty()
        #expect(table == nil, "\(table ?? "")")
    }

    private func slotTableProperty() -> String? {
        var table = SlotTable()
        var state = sampleState(servers: 2)
        for round in 0..<300 {
            var servers = state.backends[0].servers.filter { _ in Int.random(in: 0..<4) > 0 }
            while servers.count < Int.random(in: 1...9) { servers.append(sampleServer(servers.count)) }
            state.backends[0].servers = servers.shuffled()
            let before = Roster(state, slots: table)
            let next = table.updated(for: state)
            if next.updated(for: state) != next { return "round \(round): not at rest" }
            let after = Roster(state, slots: next)
            // Who was placed before, in the state as it is now, is where it was.
            if !before.commands(from: after, shareFile: "/s").allSatisfy({ $0.hasSuffix("maint") }) {
                return "round \(round): somebody moved"
            }
            table = next
        }
        return nil
    }

    @Test func runtimeCommandsBringFirstAndTakeLast() {
        var state = sampleState(servers: 2, settings: { $0.ejectAfter = 0 })
        let slots = SlotTable().updated(for: state)
        let before = Roster(state, slots: slots)
        #expect(before.commands(from: before, shareFile: "/s").isEmpty)
        state.backends[0].servers[0].isTaking = false
        state.backends[0].servers[1].weight = 3
        state.backends[0].servers.append(sampleServer(7))
        let after = Roster(state, slots: slots.updated(for: state))
        #expect(
            after.commands(from: before, shareFile: "/s") == [
                "set server shop:web:80/s3 addr 127.0.0.8 port 9000", "set server shop:web:80/s3 weight 1",
                "set server shop:web:80/s3 state ready", "set server shop:web:80/s2 weight 3",
                "set server shop:web:80/s1 state maint",
            ])
    }

    @Test func theConfigurationIsAsWrittenDown() throws {
        let state = goldenState()
        let slots = SlotTable().updated(for: state)
        let host = GatewayHost(
            directory: "/run/escale/gateway", user: "haproxy", fileLimit: 20000, hasIPv6: true, cookieKey: "secret")
        let text = try HAProxyConfig(state, slots: slots, host: host).text
        var shuffled = state
        shuffled.listeners.reverse()
        shuffled.backends.reverse()
        #expect(try HAProxyConfig(shuffled, slots: slots, host: host).text == text)
        try expectGolden(text, "Tests/Golden/gateway/shop.golden")

        // Replicas are no matter of the skeleton, settings are.
        var other = state
        other.backends[0].servers.removeLast()
        func skeleton(_ state: GatewayState) throws -> String {
            HAProxyConfig.skeleton(of: try HAProxyConfig(state, slots: slots, host: host).text)
        }
        #expect(try skeleton(other) == skeleton(state))
        other.backends[0].settings.retries += 1
        #expect(try skeleton(other) != skeleton(state))
    }

    @Test func whatCannotBeServedIsRefused() {
        let host = GatewayHost(directory: "/r", user: nil, fileLimit: 1000, hasIPv6: false, cookieKey: "k")
        func code(_ change: (inout GatewayState) -> Void) -> String? {
            var state = sampleState(servers: 1)
            change(&state)
            do {
                _ = try HAProxyConfig(state, slots: SlotTable().updated(for: state), host: host)
                return nil
            } catch { return error.code.rawValue }
        }
        #expect(code { _ in } == nil)
        #expect(code { $0.listeners[0].routes[0].hosts = ["a b"] } == "gateway.route")
        #expect(code { $0.listeners[0].routes[0].path = "/ä" } == "gateway.route")
        #expect(code { $0.listeners[0].routes[0].path = "api" } == "gateway.route")
        #expect(code { $0.backends = [] } == "gateway.route")
        #expect(code { $0.listeners += $0.listeners } == "gateway.listener")
        #expect(code { $0.backends[0].settings.stickyCookie = "a;b" } == "gateway.settings")
        #expect(code { $0.backends[0].overrideHeader = "a b\nc" } == "gateway.settings")
    }
}

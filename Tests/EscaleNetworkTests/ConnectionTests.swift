import EscaleNetlink
import EscaleNetwork
import Synchronization
import Testing

/// Real namespaces, real packets: who reaches whom, and where connections end up.
@Suite struct ConnectionTests {
    @Test func networksAreApartByNameAndByAddress() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let back = try await w.addNetwork("back")
            let a = try await w.addContainer(["a"], on: [front])
            let b = try await w.addContainer(["b"], on: [front])
            let c = try await w.addContainer(["c"], on: [back])
            let both = try await w.addContainer(["both"], on: [front, back])
            let vip = try await w.addService("web", on: front, [b])
            _ = try await w.addService("store", on: back, [c])
            try await w.apply()
            try await w.serve("b", 80, in: b)
            try await w.serve("c", 80, in: c)

            #expect(try await w.call(from: a, "web", 80) == ["b \(a.address())"])
            #expect(try await w.call(from: a, "WEB", 80) == ["b \(a.address())"])
            #expect(try await w.call(from: a, "b", 80) == ["b \(a.address())"])
            #expect(try await w.call(from: a, over: "udp", vip, 80) == ["b \(a.address())"])
            #expect(try await w.call(from: c, "web", 80) == ["unknown"])
            #expect(try await w.call(from: c, b.address(), 80, patience: 0.4) == ["timeout"])
            #expect(try await w.call(from: c, vip, 80, patience: 0.4) == ["timeout"])
            #expect(try await w.call(from: both, "web", 80) == ["b \(both.address(0))"])
            #expect(try await w.call(from: both, "store", 80) == ["c \(both.address(1))"])
            #expect(try await w.call(from: nil, b.address(), 80) == ["b \(w.instance.hostAddress)"])
        }
    }

    @Test func aServiceSpreadsItsConnectionsByWeight() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let client = try await w.addContainer(on: [front])
            let one = try await w.addContainer(on: [front])
            let two = try await w.addContainer(on: [front])
            let even = try await w.addService("even", on: front, [one, two])
            let canary = try await w.addService("canary", on: front, [one, two], weights: [95, 5])
            try await w.apply()
            try await w.serve("one", 80, in: one)
            try await w.serve("two", 80, in: two)
            func share(_ host: String) async throws -> Int {
                let answers = try await w.call(from: client, host, 80, count: 400)
                #expect(answers.filter { $0.hasPrefix("one") || $0.hasPrefix("two") }.count == 400)
                return answers.filter { $0.hasPrefix("two") }.count
            }
            #expect((140...260).contains(try await share(even)))
            #expect((3...50).contains(try await share(canary)))
        }
    }

    @Test func aServiceWithoutReplicasRefusesAtOnce() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let client = try await w.addContainer(on: [front])
            let server = try await w.addContainer(on: [front])
            let vip = try await w.addService("web", on: front, [server])
            await w.change { $0.services[0].backends = [] }
            try await w.apply()
            #expect(try await w.call(from: client, vip, 80) == ["refused"])
            #expect(try await w.call(from: client, over: "udp", vip, 80) == ["refused"])
            #expect(try await w.call(from: nil, vip, 80) == ["refused"])

            // A container that has died refuses too, before the next state says so.
            await w.change { $0.services[0].backends = [ServiceBackend(address: address("0.0.0.0"))] }
            let gone = address(server.address()).advanced(by: 100)
            await w.change { $0.services[0].backends[0].address = gone }
            try await w.apply()
            #expect(try await w.call(from: client, vip, 80) == ["refused"])
        }
    }

    @Test func aSenderOfPacketsFollowsItsServiceToANewReplica() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let client = try await w.addContainer(on: [front])
            let old = try await w.addContainer(on: [front])
            let new = try await w.addContainer(on: [front])
            let vip = try await w.addService("web", on: front, [old])
            try await w.apply()
            try await w.serve("old", 80, in: old)
            try await w.serve("new", 80, in: new)
            let answers = try await w.stick(from: client, to: vip, 80) {
                await w.change { $0.services[0].backends = [ServiceBackend(address: address(new.address()))] }
                try await w.apply()
            }
            #expect(answers == "old new")
        }
    }

    /// Each packet is judged by the rules before a change or by those after it, never by a mixture of both.
    @Test func noConnectionIsLostWhileReplicasComeAndGo() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let client = try await w.addContainer(on: [front])
            let boxes = [try await w.addContainer(on: [front]), try await w.addContainer(on: [front])]
            let vip = try await w.addService("web", on: front, boxes)
            let backends = boxes.map { PublishedPort.Backend(address: address($0.address()), port: 80) }
            await w.publish(PublishedPort(hostPort: 18095, backends: backends))
            try await w.apply()
            try await w.serve("one", 80, in: boxes[0])
            try await w.serve("two", 80, in: boxes[1])

            let changes = Mutex(0)
            let changing = Task {
                while !Task.isCancelled {
                    let weights = [[1, 1], [0, 1], [1, 9], [1, 0]][changes.withLock { $0 % 4 }]
                    await w.change { state in
                        for index in 0..<2 {
                            state.services[0].backends[index].weight = weights[index]
                            state.ports[0].backends[index].weight = weights[index]
                        }
                    }
                    try await w.apply()
                    changes.withLock { $0 += 1 }
                }
            }
            // However slow the machine: connections are made until the rules have changed many times.
            var answers: [String] = []
            repeat {
                async let inside = w.call(from: client, vip, 80, count: 2000)
                async let outside = w.call(from: nil, "127.0.0.1", 18095, count: 2000)
                answers += try await inside + outside
            } while changes.withLock { $0 } < 20 && answers.count < 80000
            changing.cancel()
            try await changing.value
            let lost = answers.filter { !$0.hasPrefix("one ") && !$0.hasPrefix("two ") }
            #expect(lost.isEmpty, "\(lost.count) of \(answers.count): \(lost.prefix(5))")
            #expect(answers.count.isMultiple(of: 4000) && changes.withLock { $0 } >= 20)
        }
    }

    @Test func aReplicaReachesItselfThroughItsService() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let server = try await w.addContainer(on: [front])
            _ = try await w.addService("web", on: front, [server])
            try await w.apply()
            try await w.serve("me", 80, in: server)
            #expect(try await w.call(from: server, "web", 80) == ["me \(w.instance.hostAddress)"])
            #expect(try await w.call(from: server, over: "udp", "web", 80) == ["me \(w.instance.hostAddress)"])
        }
    }

    @Test func aForgedSenderIsNotHeard() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let a = try await w.addContainer(on: [front])
            let b = try await w.addContainer(on: [front])
            try await w.apply()
            try await w.serve("b", 80, in: b)
            let forged = try await w.addContainer(on: [front]).address()
            _ = try await w.run(in: a, ["/usr/sbin/ip", "addr", "add", "\(forged)/32", "dev", "eth0"])
            for kind in ["tcp", "udp"] {
                let answers = try await w.call(from: a, over: kind, b.address(), 80, patience: 0.3, source: forged)
                #expect(answers == ["timeout"])
                #expect(try await w.call(from: a, over: kind, b.address(), 80) == ["b \(a.address())"])
            }
            #expect(try await w.callers(of: "b") == [a.address()])
        }
    }

    @Test func theHostsLoopbackIsOutOfReach() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let a = try await w.addContainer(on: [front])
            try await w.apply()
            try await w.serve("host", 7911, in: nil)
            #expect(try await w.call(from: nil, "127.0.0.1", 7911) == ["host 127.0.0.1"])
            _ = try await w.run(
                in: a, ["/bin/sh", "-c", """
                    echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet
                    ip addr del 127.0.0.1/8 dev lo
                    ip route del local 127.0.0.0/8 table local; ip route del local 127.0.0.1 table local
                    ip route add 127.0.0.0/8 via 169.254.1.1 dev eth0 onlink
                    """])
            let route = try await w.run(in: a, ["/usr/sbin/ip", "route", "get", "127.0.0.1"])
            #expect(route.contains("dev eth0"))
            #expect(try await w.call(from: a, "127.0.0.1", 7911, patience: 0.4) == ["timeout"])
        }
    }
}

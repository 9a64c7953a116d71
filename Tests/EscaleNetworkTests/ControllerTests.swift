import EscaleCore
import EscaleNetlink
import EscaleNetwork
import EscaleSystem
import Glibc
import Testing

@Suite struct ControllerTests {
    @Test func namesFollowTheStateAtOnce() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let back = try await w.addNetwork("back")
            let a = try await w.addContainer(["a", "my_Worker", "a.shop.example"], on: [front])
            let c = try await w.addContainer(["c"], on: [back])
            let vip = try await w.addService("web", on: front, [a])
            try await w.apply()
            #expect(try await w.ask(from: a, "web") == "ok \(vip)")
            #expect(try await w.ask(from: a, over: "tcp", "web") == "ok \(vip)")
            #expect(try await w.ask(from: a, "MY_worker") == "ok \(a.address())")
            #expect(try await w.ask(from: a, "a.shop.example") == "ok \(a.address())")
            #expect(try await w.ask(from: a, "web", type: 28) == "ok")
            #expect(try await w.ask(from: a, "nothing") == "nxdomain")
            let reversed = vip.split(separator: ".").reversed().joined(separator: ".") + ".in-addr.arpa"
            #expect(try await w.ask(from: a, reversed, type: 12) == "ok type12")
            #expect(try await w.ask(from: a, "9.9.\(reversed.split(separator: ".")[2...].joined(separator: "."))", type: 12) == "nxdomain")

            // Only the resolver of one's own networks answers.
            #expect(try await w.ask(from: c, "web") == "nxdomain")
            #expect(try await w.ask(from: c, "web", of: try await w.resolver(of: a)) == "timeout")
            #expect(try await w.ask(from: c, over: "tcp", "web", of: try await w.resolver(of: a)) == "timeout")

            for round in 0..<5 {
                await w.change { $0.services[0].names = ["name\(round)"] }
                try await w.apply()
                #expect(try await w.ask(from: a, "name\(round)") == "ok \(vip)")
                #expect(try await w.ask(from: a, over: "tcp", round == 0 ? "web" : "name\(round - 1)") == "nxdomain")
            }
        }
    }

    @Test func aHostOutsideIsFoundByTheServicesNameWhereverItMoves() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let a = try await w.addContainer(["a"], on: [front])
            let c = try await w.addContainer(["c"], on: [try await w.addNetwork("back")])
            func moves(to address: String, _ name: String = "db") async throws -> Bool {
                for _ in 0..<500 {
                    if try await w.ask(from: a, name) == "ok \(address)" { return true }
                    try await Task.sleep(for: .milliseconds(20))
                }
                return false
            }
            w.hosts["db.example.org"] = HostAnswer(ipv4: [address("192.0.2.1")])
            let outside = [
                OutsideService(network: front, names: ["db", "db.shop"], host: "db.example.org"),
                OutsideService(network: front, names: ["cache"], host: "192.0.2.50"),
                OutsideService(network: front, names: ["late"], host: "late.example.org"),
            ]
            await w.change { $0.outside = outside }
            try await w.apply()
            // At once, and for those on the network alone; of IPv6 there is nothing, rather than no such name.
            #expect(try await w.ask(from: a, "db") == "ok 192.0.2.1")
            #expect(try await w.ask(from: a, "db.shop") == "ok 192.0.2.1")
            #expect(try await w.ask(from: a, "db.shop", type: 28) == "ok")
            #expect(try await w.ask(from: a, "cache") == "ok 192.0.2.50")
            #expect(try await w.ask(from: a, "late") == "nxdomain")
            #expect(try await w.ask(from: c, "db") == "nxdomain")

            w.hosts["db.example.org"] = HostAnswer(ipv4: [address("192.0.2.2")])
            #expect(try await moves(to: "192.0.2.2"))
            w.hosts["late.example.org"] = HostAnswer(ipv4: [address("192.0.2.60")])
            #expect(try await moves(to: "192.0.2.60", "late"))
            // What was true last is better than nothing, for the next daemon too.
            w.hosts["db.example.org"] = nil
            try await Task.sleep(for: .milliseconds(100))
            try await w.restart()
            try await w.apply()
            #expect(try await w.ask(from: a, "db") == "ok 192.0.2.2")
            w.hosts["db.example.org"] = HostAnswer(ipv4: [address("192.0.2.3")])
            #expect(try await moves(to: "192.0.2.3"))

            await w.change { $0.outside = [] }
            try await w.apply()
            #expect(try await w.ask(from: a, "db") == "nxdomain")
        }
    }

    @Test func theNextDaemonAdoptsAndRepairsWhatItFinds() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let a = try await w.addContainer(["a"], on: [front])
            try await w.apply()
            let resolver = try await w.resolver(of: a)
            let pidFile = "\(w.scratch)/run/resolvers/\(resolver)/pid"
            let first = try Files.readText(pidFile)

            try await w.restart()
            #expect(try await w.controller.resolver(for: ResolverScope(networks: [front])).description == resolver)
            try await w.apply()
            #expect(try Files.readText(pidFile) == first)
            #expect(try await !w.controller.verify())

            kill(try #require(Int32(first.prefix { $0.isNumber })), SIGKILL)
            try await Task.sleep(for: .milliseconds(20))
            #expect(try await w.controller.verify())
            #expect(try Files.readText(pidFile) != first)
            #expect(try await w.ask(from: a, "a") == "ok \(a.address())")

            let table = w.instance.table
            _ = try await blocking { try NFTables().run("delete table ip \(table)") }
            #expect(try await w.controller.verify())
            #expect(try await blocking { try NFTables().hasTable(table) })

            // A daemon that lost its directory still gets its addresses.
            try Files.remove("\(w.scratch)/run")
            try await w.restart()
            try await w.apply()
            #expect(try await w.ask(from: a, "a") == "ok \(a.address())")
        }
    }

    @Test func manyContainersAreAttachedAndManyStatesAppliedAtOnce() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let boxes = try await withThrowingTaskGroup(of: Box.self) { group in
                for index in 0..<12 { group.addTask { try await w.addContainer(["c\(index)"], on: [front]) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let state = await w.state
            try await withThrowingTaskGroup { group in
                for count in 0...12 {
                    var partial = state
                    partial.endpoints = Array(state.endpoints.prefix(count))
                    group.addTask { [partial] in try await w.controller.apply(partial) }
                }
                try await group.waitForAll()
            }
            try await w.apply()
            for index in 0..<12 { #expect(try await w.ask(from: boxes[0], "c\(index)").hasPrefix("ok ")) }
            let rerun = try #require(boxes[1].endpoint)
            try await w.controller.attach(rerun, networks: state.networks, pid: boxes[1].pid)
            #expect(try await w.ask(from: boxes[1], "c1").hasPrefix("ok "))
        }
    }

    @Test func anOwnSubnetOfTheUserIsRoutedToo() async throws {
        try await World.with { w in
            let octet = UInt8(10 + (Int(w.instance.pool.address.bytes[1]) - 210))
            let own = IPv4Subnet(containing: IPv4Address(172, 28, octet, 0), prefixLength: 24)
            await w.change { $0.networks = [AttachedNetwork(name: network("own"), subnet: own)] }
            let a = try await w.addContainer(["a"], on: [network("own")])
            let b = try await w.addContainer(["b"], on: [network("own")])
            try await w.apply()
            try await w.serve("b", 80, in: b)
            #expect(try await w.call(from: a, "b", 80) == ["b \(a.address())"])
            await w.change { $0 = NetworkState() }
            try await w.apply()
            #expect(try await blocking { try HostAddresses.routes(IPv4Address.self) }.allSatisfy { $0.destination != own })
        }
    }
}

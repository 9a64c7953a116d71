import EscaleNetlink
import EscaleNetwork
import Testing

/// Between containers and what isn't Escale's. One machine outside at a time: they share their addresses.
@Suite(.serialized) struct OutsideTests {
    @Test func aPublishedPortIsReachedFromEverywhere() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let server = try await w.addContainer(on: [front])
            let other = try await w.addContainer(on: [try await w.addNetwork("other")])
            let outside = try await w.addOutside()
            let target = PublishedPort.Backend(address: address(server.address()), port: 80)
            for transport in [PublishedPort.Transport.tcp, .udp] {
                await w.publish(PublishedPort(hostPort: 18080, transport: transport, backends: [target]))
            }
            await w.publish(
                PublishedPort(hostAddress: address("127.0.0.1"), hostPort: 18081, backends: [target]))
            await w.publish(PublishedPort(hostPort: 18082, backends: []))
            try await w.apply()
            try await w.serve("web", 80, in: server)

            let host = w.instance.hostAddress
            for kind in ["tcp", "udp"] {
                #expect(try await w.call(from: nil, over: kind, "127.0.0.1", 18080) == ["web \(host)"])
                #expect(try await w.call(from: nil, over: kind, "198.51.100.1", 18080) == ["web 198.51.100.1"])
                #expect(try await w.call(from: outside, over: kind, "198.51.100.1", 18080) == ["web 198.51.100.2"])
                #expect(try await w.call(from: other, over: kind, "198.51.100.1", 18080) == ["web \(other.address())"])
                #expect(try await w.call(from: server, over: kind, "198.51.100.1", 18080) == ["web \(host)"])
            }
            #expect(try await w.call(from: nil, "127.0.0.1", 18081) == ["web \(host)"])
            #expect(try await w.call(from: outside, "198.51.100.1", 18081) == ["refused"])
            for caller in [nil, outside, other] {
                #expect(try await w.call(from: caller, "198.51.100.1", 18082) == ["refused"])
            }
            #expect(try await w.call(from: nil, "127.0.0.1", 18082) == ["refused"])

            // Nothing but what is published, however the outside routes to it.
            #expect(try await w.call(from: outside, server.address(), 80, patience: 0.4) == ["timeout"])
            #expect(try await w.call(from: outside, host.description, 53, patience: 0.4) == ["timeout"])
        }
    }

    @Test func containersReachOutUnlessTheirNetworkIsInternal() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let back = try await w.addNetwork("back", internal: true)
            let open = try await w.addContainer(["open"], on: [front])
            let shut = try await w.addContainer(["shut"], on: [back])
            let both = try await w.addContainer(["both"], on: [back, front])
            let outside = try await w.addOutside()
            let server = try await w.addContainer(on: [front])
            await w.publish(
                PublishedPort(hostPort: 18090, backends: [.init(address: address(server.address()), port: 80)]))
            let vip = try await w.addService("inner", on: back, [both])
            try await w.apply()
            try await w.serve("out", 80, in: outside)
            try await w.serve("host", 7912, in: nil)
            try await w.serve("web", 80, in: server)
            try await w.serve("both", 80, in: both)
            try await w.serve("shut", 80, in: shut)

            #expect(try await w.call(from: open, "198.51.100.2", 80) == ["out 198.51.100.1"])
            #expect(try await w.call(from: both, "198.51.100.2", 80) == ["out 198.51.100.1"])
            #expect(try await w.call(from: open, "198.51.100.1", 7912) == ["host \(open.address())"])
            #expect(try await w.call(from: shut, "inner", 80) == ["both \(shut.address())"])
            #expect(try await w.call(from: both, vip, 80) == ["both \(w.instance.hostAddress)"])
            #expect(try await w.call(from: nil, shut.address(), 80) == ["shut \(w.instance.hostAddress)"])

            // Even with a default route of its own making there is no way out.
            _ = try await w.run(in: shut, ["/usr/sbin/ip", "route", "add", "default", "via", "169.254.1.1", "dev", "eth0", "onlink"])
            for (host, port) in [("198.51.100.2", 80), ("198.51.100.1", 7912), ("198.51.100.1", 18090)] {
                #expect(try await w.call(from: shut, host, port, patience: 0.4) == ["timeout"], "\(host):\(port)")
            }
        }
    }

    @Test func namesOutsideAreAskedOfTheHostsServers() async throws {
        try await World.with { w in
            let front = try await w.addNetwork("front")
            let back = try await w.addNetwork("back", internal: true)
            let open = try await w.addContainer(["open", "Full.there.example"], on: [front])
            let own = try await w.addContainer(["own"], on: [front], servers: ["192.0.2.250"])
            let shut = try await w.addContainer(["shut"], on: [back])
            let outside = try await w.addOutside()
            try await w.apply()
            let upstream = "\(w.scratch)/upstream.pid"
            _ = try await w.run(
                in: outside, ["/usr/sbin/dnsmasq", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                    "--user=root", "--pid-file=\(upstream)", "--host-record=there.example,192.0.2.77",
                    "--host-record=plain,192.0.2.78", "--host-record=sub.there.example,192.0.2.79", "--local=/example/", "--bind-interfaces"])
            #expect(try await w.ask(from: open, "there.example") == "ok 192.0.2.77")
            #expect(try await w.ask(from: open, over: "tcp", "there.example") == "ok 192.0.2.77")
            #expect(try await w.ask(from: open, "plain") == "nxdomain")
            #expect(try await w.ask(from: own, "open") == "ok \(open.address())")
            #expect(try await w.ask(from: own, "there.example") != "ok 192.0.2.77")
            // A name of ours with dots is ours for every kind of question, those around it are not.
            #expect(try await w.ask(from: open, "full.there.example") == "ok \(open.address())")
            #expect(try await w.ask(from: open, "full.there.example", type: 28) == "ok")
            await w.change { $0.endpoints[0].addresses[0].names = ["open", "there.example"] }
            try await w.apply()
            try await Task.sleep(for: .milliseconds(50))
            #expect(try await w.ask(from: open, "there.example", type: 28) == "ok")
            #expect(try await w.ask(from: open, "sub.there.example") == "ok 192.0.2.79")
            await w.change { $0.endpoints[0].addresses[0].names = ["open"] }
            try await w.apply()
            try await Task.sleep(for: .milliseconds(50))
            #expect(try await w.ask(from: open, "there.example") == "ok 192.0.2.77")
            #expect(try await w.ask(from: shut, "there.example") == "nxdomain")
            #expect(try await w.ask(from: shut, "shut") == "ok \(shut.address())")
            _ = try await w.run(in: nil, ["/bin/sh", "-c", "kill $(cat \(upstream))"])
        }
    }
}

import EscaleCore
import EscaleNetlink
import EscaleNetwork
import EscaleSystem
import Testing

@Suite struct PureTests {
    @Test func anInstanceNamesItsThings() throws {
        let main = try Sample.instance()
        #expect(main.table == "escale")
        #expect(main.interface(of: container("a")) == "esc-aaaaaaaaaaa")
        #expect(try Sample.instance("t1").interface(of: container("a")) == "esct1-aaaaaaaaa")
        #expect(main.reserved == subnet("10.210.252.0/22"))
        #expect(main.hostAddress == address("10.210.252.1"))
        #expect(main.freeResolver(excluding: []) == address("10.210.252.2"))
        #expect(main.freeNetwork(excluding: [subnet("10.210.0.0/22")]) == subnet("10.210.4.0/22"))
        let all = (0..<63).map { subnet("10.210.\($0 * 4).0/22") }
        #expect(main.freeNetwork(excluding: all) == nil)
        #expect(throws: EscaleError.self) { try NetworkInstance(id: "toolong", pool: main.pool) }
        #expect(throws: EscaleError.self) { try NetworkInstance(id: "A", pool: main.pool) }
    }

    @Test func theFirstNetworkThatLeadsOutsideIsTheDefault() throws {
        let attachment = try Attachment(
            Sample.state.endpoints[1], networks: Sample.state.networks, instance: try Sample.instance())
        #expect(attachment.ipv4.addresses == [address("10.210.4.4"), address("10.210.0.4")])
        #expect(attachment.mac.description == "02:42:0a:d2:04:04")
        #expect(attachment.ipv4.routes.map { "\($0.destination) \($0.source)" } == [
            "10.210.252.0/22 10.210.4.4", "10.210.4.0/22 10.210.4.4", "0.0.0.0/0 10.210.0.4",
        ])
    }

    @Test func onInternalNetworksThereIsNoDefaultRoute() throws {
        var endpoint = Sample.state.endpoints[1]
        endpoint.addresses.removeLast()
        let attachment = try Attachment(
            endpoint, networks: Sample.state.networks, instance: try Sample.instance())
        #expect(!attachment.ipv4.routes.contains { $0.destination == .everything })
    }

    @Test func anUnknownNetworkIsRefused() throws {
        #expect(throws: EscaleError.self) {
            try Attachment(Sample.state.endpoints[1], networks: [], instance: try Sample.instance())
        }
    }

    @Test func recordsAreAnAddressPerLine() {
        #expect(
            NameFiles.records(of: network("shop_back"), in: Sample.state)
                == "10.210.4.2 web api.shop\n10.210.4.4 web-2\n")
        var state = Sample.state
        state.services[1].names = ["", "a b", "c#d", "a\nb"]
        #expect(NameFiles.records(of: network("shop_back"), in: state) == "10.210.4.4 web-2\n")
    }

    @Test func aHostOutsideIsRecordedUnderTheServicesNames() {
        var state = Sample.state
        var database = OutsideService(network: network("shop_front"), names: ["db", "db.shop"], host: "db.example.org")
        let before = NameFiles.records(of: network("shop_front"), in: state)
        state.outside = [database]
        #expect(NameFiles.records(of: network("shop_front"), in: state) == before)
        #expect(NameFiles.fullNames(of: [network("shop_front")], in: state) == ["db.shop"])
        database.answer = HostAnswer(ipv4: [address("192.0.2.8"), address("192.0.2.9")], ipv6: [address6("2001:db8::8")])
        state.outside = [database]
        #expect(
            NameFiles.records(of: network("shop_front"), in: state)
                == before + "192.0.2.8 db db.shop\n192.0.2.9 db db.shop\n")
        #expect(NameFiles.records(of: network("shop_back"), in: state) == NameFiles.records(of: network("shop_back"), in: Sample.state))
        var wide = Sample.withIPv6()
        wide.outside = [database]
        #expect(NameFiles.records(of: network("shop_front"), in: wide).contains("\n2001:db8::8 db db.shop\n"))
    }

    @Test func anAddressStandsForItselfAndNobodyForThemselves() async throws {
        #expect(await HostLookup.answer(of: "192.0.2.7", within: .seconds(1)) == HostAnswer(ipv4: [address("192.0.2.7")]))
        #expect(await HostLookup.answer(of: "2001:db8::7", within: .seconds(1)) == HostAnswer(ipv6: [address6("2001:db8::7")]))
        // In every host's /etc/hosts, and of no use to a container.
        #expect(await HostLookup.answer(of: "localhost", within: .seconds(5)) == nil)
    }

    @Test func aContainerKnowsItselfAndItsResolver() {
        let hosts = NameFiles.hosts(
            hostname: "web.shop.test", address: address("10.210.0.3"), extra: [("db", "192.0.2.9")])
        #expect(hosts.hasPrefix("127.0.0.1\tlocalhost\n"))
        #expect(hosts.contains("192.0.2.9\tdb\n"))
        #expect(hosts.hasSuffix("10.210.0.3\tweb.shop.test web\n"))
        #expect(
            NameFiles.resolvConf(servers: ["10.210.252.2"]) == "nameserver 10.210.252.2\noptions ndots:0\n")
        #expect(
            NameFiles.resolvConf(
                servers: ["10.210.252.2"], search: ["a", "b"], options: ["rotate"])
                == "nameserver 10.210.252.2\nsearch a b\noptions rotate ndots:0\n")
        #expect(NameFiles.resolvConf(servers: ["10.210.252.2"], options: ["ndots:2"]).hasSuffix("options ndots:2\n"))
    }

    @Test func theWayOutIsThatOfThePreferredOpenNetwork() throws {
        let networks = [
            AttachedNetwork(name: network("in"), subnet: subnet("10.210.4.0/22"), isInternal: true),
            AttachedNetwork(name: network("one"), subnet: subnet("10.210.0.0/22")),
            AttachedNetwork(
                name: network("two"), subnet: subnet("172.28.0.0/24"), gateway: address("172.28.0.1"), mtu: 1400),
        ]
        var endpoint = Endpoint(
            container: container("a"),
            addresses: [
                .init(network: network("in"), address: address("10.210.4.9")),
                .init(network: network("one"), address: address("10.210.0.9")),
                .init(network: network("two"), address: address("172.28.0.9")),
            ])
        func ways(_ endpoint: Endpoint) throws -> [String] {
            try Attachment(endpoint, networks: networks, instance: Sample.instance()).ipv4.routes
                .map { "\($0.destination) via \($0.gateway) from \($0.source)" }
        }
        #expect(
            try ways(endpoint) == [
                "10.210.252.0/22 via 169.254.1.1 from 10.210.4.9", "10.210.4.0/22 via 169.254.1.1 from 10.210.4.9",
                "0.0.0.0/0 via 169.254.1.1 from 10.210.0.9", "172.28.0.0/24 via 172.28.0.1 from 172.28.0.9",
            ])
        endpoint.way = network("two")
        #expect(try ways(endpoint).last == "0.0.0.0/0 via 172.28.0.1 from 172.28.0.9")
        endpoint.way = network("in")
        #expect(try ways(endpoint)[2] == "0.0.0.0/0 via 169.254.1.1 from 10.210.0.9")
        #expect(try Attachment(endpoint, networks: networks, instance: Sample.instance()).mtu == 1400)
    }

    @Test func aResolverOfInternalNetworksAsksNobody() {
        var config = ResolverConfig(
            address: address("10.210.252.2"), recordDirectories: ["/b", "/a"],
            territory: [subnet("10.210.0.0/16"), subnet("172.28.16.0/22")],
            upstream: .file("/etc/resolv.conf"), user: "nobody", pidFile: "/p", localNamesFile: "/l")
        #expect(config.text.contains("hostsdir=/a\nhostsdir=/b\n"))
        #expect(config.text.contains("local=/210.10.in-addr.arpa/\n"))
        #expect(config.text.contains("local=/19.28.172.in-addr.arpa/\n"))
        #expect(!config.text.contains("20.28.172.in-addr.arpa"))
        #expect(config.text.hasSuffix("resolv-file=/etc/resolv.conf\nservers-file=/l\n"))
        config.upstream = .servers(["9.9.9.9"])
        #expect(config.text.hasSuffix("no-resolv\nservers-file=/l\nserver=9.9.9.9\n"))
        config.upstream = .none
        #expect(config.text.hasSuffix("no-resolv\nlocal=/#/\n"))
    }
}

@Suite struct FlowChangeTests {
    private let sender = address("198.51.100.2")

    private func flow(to destination: String, _ port: UInt16, receiver: String) -> UDPFlow<IPv4Address> {
        UDPFlow(
            source: sender, sourcePort: 999, destination: address(destination), destinationPort: port,
            receiver: address(receiver))
    }

    @Test func sendersToReplicasThatAreGoneAreCutOff() {
        var state = Sample.state
        state.services[0].backends.removeLast()
        state.ports = []
        let change = FlowChange<IPv4Address>(from: Sample.state, to: state)
        #expect(change.outdates(flow(to: "10.210.0.2", 53, receiver: "10.210.0.4")))
        #expect(!change.outdates(flow(to: "10.210.0.2", 53, receiver: "10.210.0.3")))
        #expect(!change.outdates(flow(to: "10.210.0.4", 53, receiver: "10.210.0.4")))
        #expect(FlowChange<IPv4Address>(from: state, to: state).isEmpty)
        state.services[0].backends[0].weight = 0
        #expect(FlowChange(from: Sample.state, to: state) == change)
    }

    @Test func sendersToAPortThatWasTheHostsAreJudgedAfresh() {
        let change = FlowChange<IPv4Address>(from: NetworkState(), to: Sample.state)
        #expect(change.outdates(flow(to: "127.0.0.1", 5353, receiver: "127.0.0.1")))
        #expect(!change.outdates(flow(to: "192.0.2.1", 5353, receiver: "192.0.2.1")))
        #expect(!change.outdates(flow(to: "192.0.2.1", 8080, receiver: "192.0.2.1")))
    }
}

@Suite struct InstanceSlotsTests {
    @Test func everyRootHasASlotOfItsOwnUntilItIsGone() async throws {
        try await withScratch { scratch in
            let slots = InstanceSlots(directory: "\(scratch)/slots")
            try Files.createDirectories("\(scratch)/a")
            try Files.createDirectories("\(scratch)/b")
            let a = try slots.claim(root: "\(scratch)/a")
            let b = try slots.claim(root: "\(scratch)/b")
            #expect(a.pool != b.pool && a.id != b.id)
            #expect(try slots.claim(root: "\(scratch)/a") == a)
            try Files.remove("\(scratch)/a")
            #expect(try slots.claim(root: "\(scratch)/c") == a)
            try slots.release(root: "\(scratch)/b")
            #expect(try slots.claim(root: "\(scratch)/d", preferring: b) == b)
        }
    }
}

/// A directory for the body, removed after it.
func withScratch(_ body: (String) async throws -> Void) async throws {
    let path = "/tmp/escale-network-\(UInt32.random(in: 0 ... .max))"
    try Files.createDirectories(path)
    defer { try? Files.remove(path) }  // a leftover in /tmp is no failure
    try await body(path)
}

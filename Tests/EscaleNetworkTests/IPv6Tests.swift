import EscaleCore
import EscaleNetlink
import EscaleNetwork
import EscaleSystem
import EscaleTestExpectations
import EscaleTestSupport
import Testing

/// What IPv6 adds, as values; who reaches whom by it is shown with containers in Tests/Behaviour.
@Suite struct IPv6Tests {
    private func rules(_ state: NetworkState, _ instance: NetworkInstance? = nil) throws -> PacketTable? {
        Ruleset(instance: try instance ?? Sample.instance(), state: state, resolvers: Sample.resolvers).table6
    }

    @Test func anInstancesAddressesFollowFromItsPool() throws {
        let main = try Sample.instance()
        #expect(main.pool6 == subnet6("fd65:730a:d200::/48"))
        #expect(main.hostAddress6 == address6("fd65:730a:d200:ffff::1"))
        #expect(main.freeNetwork6(excluding: []) == subnet6("fd65:730a:d200::/64"))
        #expect(main.freeNetwork6(excluding: [subnet6("fd65:730a:d200::/64")]) == subnet6("fd65:730a:d200:1::/64"))
        #expect(main.freeNetwork6(excluding: [subnet6("fd00::/8")]) == nil)
        let other = try NetworkInstance(id: "2", pool: subnet("10.212.0.0/16"))
        #expect(!other.pool6.overlaps(main.pool6))
    }

    @Test func withoutSuchNetworksThereAreNoRules() throws {
        #expect(try rules(Sample.state) == nil)
        #expect(try rules(Sample.withIPv6().withoutIPv6) == nil)
        let instance = try Sample.instance()
        func table(_ state: NetworkState) -> PacketTable {
            Ruleset(instance: instance, state: state, resolvers: Sample.resolvers).table
        }
        #expect(table(Sample.withIPv6(everywhere: true)) == table(Sample.state), "IPv4's rules are none of its business")
    }

    @Test func theRulesAreThoseOfTheGolden() throws {
        let text = try #require(try rules(Sample.withIPv6(everywhere: true))).replacement
        try expectGolden(text, "Tests/Golden/network/ipv6.nft")
    }

    @Test func theKernelTakesThem() async throws {
        let instance = try Sample.instance("zz9")
        let check = Command("/usr/bin/unshare", ["-n", "/usr/sbin/nft", "-f", "-"])
        for state in [Sample.withIPv6(), Sample.withIPv6(everywhere: true)] {
            let text = try #require(try rules(state, instance)).replacement
            let result = try await check.run(input: Array(text.utf8))
            #expect(result.status == 0, "\(result.text)\n\(text)")
        }
    }

    @Test func anotherReplicaChangesOneChain() throws {
        let old = try #require(try rules(Sample.withIPv6()))
        var state = Sample.withIPv6()
        state.services[0].backends[0].weight = 0
        #expect(
            try #require(try rules(state)).changes(from: old) == """
                flush chain ip6 escale service-fd65-730a-d200--fffe
                add rule ip6 escale service-fd65-730a-d200--fffe dnat to fd65:730a:d200::4

                """)
    }

    @Test func namesHaveBothAddressesWhereTheNetworkDoes() {
        #expect(
            NameFiles.records(of: network("shop_front"), in: Sample.withIPv6()) == """
                10.210.0.2 web
                10.210.0.3 web-1
                10.210.0.4 web-2
                fd65:730a:d200::3 web-1
                fd65:730a:d200::4 web-2
                fd65:730a:d200::fffe web

                """)
        #expect(!NameFiles.records(of: network("shop_back"), in: Sample.withIPv6()).contains("fd65"))
        var state = Sample.withIPv6()
        state.services[0].answersWithReplicas = true
        #expect(NameFiles.records(of: network("shop_front"), in: state).hasSuffix("fd65:730a:d200::3 web web-1\nfd65:730a:d200::4 web web-2\n"))
        let hosts = NameFiles.hosts(hostname: "web", address: address("10.210.0.3"), ipv6: address6("fd65:730a:d200::3"))
        #expect(hosts.hasSuffix("10.210.0.3\tweb\nfd65:730a:d200::3\tweb\n"))
    }

    @Test func reverseNamesStayInside() {
        let config = ResolverConfig(
            address: address("10.210.252.2"), recordDirectories: [], territory: [],
            territory6: [subnet6("fd65:730a:d200::/48"), subnet6("2001:db8::/126")],
            upstream: .none, user: "nobody", pidFile: "/p", localNamesFile: "/l")
        #expect(config.text.contains("local=/0.0.2.d.a.0.3.7.5.6.d.f.ip6.arpa/\n"))
        #expect(config.text.contains("local=/3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa/\n"))
        #expect(!config.text.contains("/4.0.0.0.0.0.0.0.0"))
    }

    @Test func aContainerIsWiredForBoth() throws {
        let instance = try Sample.instance()
        func attachment(_ state: NetworkState) throws -> EscaleNetwork.Attachment {
            try Attachment(state.endpoints[1], networks: state.networks, instance: instance)
        }
        #expect(try attachment(Sample.state).ipv6 == nil)
        // The network without IPv6 is not its way out, whichever is preferred.
        let one = try #require(try attachment(Sample.withIPv6()).ipv6)
        #expect(one.addresses == [address6("fd65:730a:d200::4")])
        #expect(
            one.routes.map { "\($0.destination) via \($0.gateway)" } == [
                "fd65:730a:d200:ffff::/64 via fe80::1", "::/0 via fd65:730a:d200::1",
            ])
        let both = try #require(try attachment(Sample.withIPv6(everywhere: true)).ipv6)
        #expect(
            both.routes.map { "\($0.destination) from \($0.source)" } == [
                "fd65:730a:d200:ffff::/64 from fd65:730a:d200:1::4", "fd65:730a:d200:1::/64 from fd65:730a:d200:1::4",
                "::/0 from fd65:730a:d200::4",
            ])
    }

    @Test func sendersToReplicasThatAreGoneAreCutOff() {
        var state = Sample.withIPv6()
        state.services[0].backends.removeLast()
        let change = FlowChange<IPv6Address>(from: Sample.withIPv6(), to: state)
        func flow(_ receiver: String) -> UDPFlow<IPv6Address> {
            UDPFlow(
                source: address6("fd65:730a:d200::9"), sourcePort: 999, destination: address6("fd65:730a:d200::fffe"),
                destinationPort: 53, receiver: address6(receiver))
        }
        #expect(change.outdates(flow("fd65:730a:d200::4")))
        #expect(!change.outdates(flow("fd65:730a:d200::3")))
        #expect(FlowChange<IPv6Address>(from: state, to: state).isEmpty)
    }
}

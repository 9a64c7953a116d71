import EscaleCore
import EscaleNetlink
import EscaleNetwork
import EscaleSystem
import EscaleTestSupport
import Testing

@Suite struct RulesetTests {
    private func text(_ state: NetworkState) throws -> String {
        Ruleset(instance: try Sample.instance(), state: state, resolvers: Sample.resolvers).table.replacement
    }

    /// Everything that depends on the state; the rules themselves are judged by what passes, in the other suites.
    @Test func theStateBecomesSetsMapsAndChains() throws {
        let text = try text(Sample.state)
        for part in [
            "add table ip escale\ndelete table ip escale\ntable ip escale {\n",
            "set same_network {\n    type ipv4_addr . ipv4_addr\n    flags interval\n"
                + "    elements = { 10.210.0.0/22 . 10.210.0.0/22, 10.210.4.0/22 . 10.210.4.0/22 }\n",
            "set internal {\n    type ipv4_addr\n    flags interval\n    elements = { 10.210.4.0/22 }\n",
            "set outgoing {\n    type ipv4_addr\n    flags interval\n    elements = { 10.210.0.0/22 }\n",
            "10.210.0.4 . 10.210.4.4",
            "elements = { 10.210.0.3 . 10.210.252.2, 10.210.0.4 . 10.210.252.3, 10.210.4.4 . 10.210.252.3 }",
            "set unready {\n    type ipv4_addr\n    elements = { 10.210.4.2 }\n",
            "elements = { 10.210.0.2 : goto service-10.210.0.2 }",
            "dnat to numgen random mod 10 map { 0-8 : 10.210.0.3, 9 : 10.210.0.4 }\n    dnat to 10.210.0.3\n",
            "elements = { tcp . 8080 : goto port-tcp-8080 }",
            "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.210.0.3 . 80, 1 : 10.210.0.4 . 80 }\n"
                + "    meta l4proto tcp dnat ip to 10.210.0.3:80\n",
            "elements = { 127.0.0.1 . udp . 5353 : goto port-127.0.0.1-udp-5353 }",
            "meta l4proto udp dnat ip to 10.210.0.3:53",
            "set closed {\n    type inet_proto . inet_service\n    elements = { tcp . 9090 }\n",
            "iifname \"esc-*\" goto from_container",
        ] {
            #expect(text.contains(part), "\(part)")
        }
    }

    @Test func theOrderOfTheStateDoesNotMatter() throws {
        var other = Sample.state
        other.networks.reverse()
        other.endpoints.reverse()
        other.services.reverse()
        other.ports.reverse()
        #expect(try text(other) == text(Sample.state))
    }

    @Test func aReplicaWithoutWeightTakesNothing() throws {
        var state = Sample.state
        state.services[0].backends[1].weight = 0
        #expect(try text(state).contains("dnat to 10.210.0.3\n"))
        state.services[0].backends[0].weight = 0
        #expect(try text(state).contains("elements = { 10.210.0.2, 10.210.4.2 }"))
    }

    @Test func theSamePortOfTwoServicesIsOne() throws {
        var state = Sample.state
        state.ports.append(PublishedPort(hostPort: 9090, backends: [.init(address: address("10.210.0.4"), port: 90)]))
        #expect(try text(state).contains("tcp . 9090 : goto port-tcp-9090"))
    }

    @Test func aNetworkOutsideThePoolIsTerritoryToo() throws {
        var state = Sample.state
        state.networks.append(AttachedNetwork(name: network("own"), subnet: subnet("172.28.0.0/24")))
        #expect(try text(state).contains("elements = { 10.210.0.0/16, 172.28.0.0/24 }"))
    }

    @Test(arguments: [Sample.state, NetworkState()]) func theKernelTakesIt(state: NetworkState) async throws {
        let instance = try Sample.instance("zz9")
        let text = Ruleset(instance: instance, state: state, resolvers: Sample.resolvers).table.replacement
        // In a namespace of its own, so that nothing of it touches this host.
        let check = Command("/usr/bin/unshare", ["-n", "/usr/sbin/nft", "-f", "-"])
        let result = try await check.run(input: Array(text.utf8))
        #expect(result.status == 0, "\(result.text)")
    }

    // MARK: From one state to another

    @Test func anEqualStateChangesNothing() throws {
        let instance = try Sample.instance()
        let ruleset = Ruleset(instance: instance, state: Sample.state, resolvers: Sample.resolvers).table
        #expect(ruleset.changes(from: ruleset) == "")
    }

    /// Only the service's own chain: what leads there, and every other service, is left as it is.
    @Test func anotherReplicaChangesOneChain() throws {
        let instance = try Sample.instance()
        let old = Ruleset(instance: instance, state: Sample.state, resolvers: Sample.resolvers).table
        var state = Sample.state
        state.services[0].backends[0].weight = 0
        let new = Ruleset(instance: instance, state: state, resolvers: Sample.resolvers).table
        #expect(
            new.changes(from: old) == """
                flush chain ip escale service-10.210.0.2
                add rule ip escale service-10.210.0.2 dnat to 10.210.0.4

                """)
    }

    /// Random walks through states: after each step the kernel has what it would have from the new state alone.
    @Test func changesLeadWhereAReplacementWould() async throws {
        let instance = try Sample.instance("zz8")
        var generator = Seeded(7)
        var before = Ruleset(instance: instance, state: NetworkState(), resolvers: [:]).table
        var walk = [before.replacement]
        var replacements: [String] = []
        for _ in 0..<60 {
            let state = Sample.random(&generator)
            let after = Ruleset(instance: instance, state: state, resolvers: Sample.resolvers).table
            let changes = try #require(after.changes(from: before))
            #expect(!changes.contains("delete table"), "the hooks are touched:\n\(changes)")
            walk.append(changes)
            replacements.append(after.replacement)
            before = after
        }
        let walked = try await listings(walk, of: instance.table).dropFirst()
        let replaced = try await listings(replacements, of: instance.table)
        #expect(walked.count == 60 && replaced.count == 60)
        for (step, pair) in zip(walked, replaced).enumerated() where pair.0 != pair.1 {
            let difference = Set(pair.0).symmetricDifference(pair.1).sorted().joined(separator: "\n")
            Issue.record("step \(step): \(walk[step + 1])\n\(difference)")
        }
    }

    /// What the table is after each of the scripts, one block of it after the other, in an order of ours.
    private func listings(_ scripts: [String], of table: String) async throws -> [[String]] {
        let scratch = try ScratchDirectory()
        for (index, script) in scripts.enumerated() { try scratch.file("\(index)", script) }
        let steps = "for i in $(seq 0 \(scripts.count - 1)); do nft -f \(scratch.path)/$i && nft list table ip \(table); done"
        let result = try await Command("/usr/bin/unshare", ["-n", "/bin/sh", "-ec", steps]).run(timeout: .seconds(60))
        #expect(result.status == 0, "\(result.text)")
        var tables: [[String]] = []
        var block: [Substring] = []
        for line in result.text.split(separator: "\n") {
            switch line {
            case "\t}":
                // The kernel gives a set's elements in an order of its own.
                tables[tables.count - 1].append(block.sorted().joined(separator: " "))
                block = []
            case "}": tables[tables.count - 1].sort()
            case _ where line.hasPrefix("table "): tables.append([])
            default: block += line.split { " \t,{}".contains($0) }
            }
        }
        return tables
    }
}

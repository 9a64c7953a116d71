package import EscaleNetlink

/// The nftables table of an instance, from the state alone; equal states give equal tables.
///
/// What isn't Escale's passes untouched: the chains judge only packets from and to containers, and where they accept
/// one, another table of the operator's may still drop it.
package struct Ruleset: Sendable {
    let instance: NetworkInstance
    let state: NetworkState
    /// Who answers the containers of each scope.
    let resolvers: [ResolverScope: IPv4Address]

    package init(
        instance: NetworkInstance, state: NetworkState, resolvers: [ResolverScope: IPv4Address]
    ) {
        self.instance = instance
        self.state = state
        self.resolvers = resolvers
    }

    /// What the kernel is to hold.
    ///
    /// On the way from one state's table to another's no connection passes untranslated. A packet is judged by either
    /// the old or the new rules, but what it finds in sets and maps may be the new already, so: the chains where packets
    /// come in never change, what leads to a service stays in place, and its chain ends with a target that no map has
    /// to be asked for.
    package var table: PacketTable {
        PacketTable(name: instance.table, elements: sets + natMaps, chains: natChains + hookChains)
    }

    /// An interface match for the containers' pairs.
    var containers: String { "\"\(instance.interfacePrefix)*\"" }

    /// Every block of addresses that is this instance's.
    var territory: [IPv4Subnet] {
        [instance.pool] + Set(state.networks.map(\.subnet)).filter { !instance.pool.overlaps($0) }.sorted()
    }

    private var sets: [PacketTable.Elements] {
        let same = state.networks.map { "\($0.subnet) . \($0.subnet)" }
        let own = state.endpoints.flatMap { endpoint in
            endpoint.addresses.flatMap { from in endpoint.addresses.map { "\(from.address) . \($0.address)" } }
        }
        let resolving = state.endpoints.flatMap { endpoint -> [String] in
            guard let resolver = resolvers[endpoint.scope] else { return [] }
            return endpoint.addresses.map { "\($0.address) . \(resolver)" }
        }
        let unready = state.services.filter { $0.backends.allSatisfy { $0.weight <= 0 } }.map(\.address.description)
        return [
            .set("ours", "ipv4_addr", interval: true, territory.map(\.description)),
            // Published on all of the host's addresses means: on none of these.
            .set(
                "unpublished", "ipv4_addr", interval: true,
                territory.map(\.description) + ["127.0.0.0", "127.0.0.2-127.255.255.255"]),
            // The host itself, as far as it may be talked to from containers.
            .set("host", "ipv4_addr", ([instance.hostAddress] + state.gateways).map(\.description)),
            .set("same_network", "ipv4_addr . ipv4_addr", interval: true, same),
            .set("internal", "ipv4_addr", interval: true, subnets(internal: true)),
            .set("outgoing", "ipv4_addr", interval: true, subnets(internal: false)),
            .set("same_container", "ipv4_addr . ipv4_addr", own),
            .set("own_resolver", "ipv4_addr . ipv4_addr", resolving),
            .set("unready", "ipv4_addr", unready),
        ]
    }

    private func subnets(internal isInternal: Bool) -> [String] {
        state.networks.filter { $0.isInternal == isInternal }.map(\.subnet.description)
    }
}

package import EscaleNetlink

/// The nftables tables of an instance, from the state alone; equal states give equal tables.
///
/// What isn't Escale's passes untouched: the chains judge only packets from and to containers, and where they accept
/// one, another table of the operator's may still drop it.
package struct Ruleset: Sendable {
    private let rules: FamilyRules<IPv4Address>
    private let rules6: FamilyRules<IPv6Address>

    /// - Parameter resolvers: who answers the containers of each scope.
    package init(
        instance: NetworkInstance, state: NetworkState, resolvers: [ResolverScope: IPv4Address]
    ) {
        rules = FamilyRules(ipv4: state, of: instance, resolvers: resolvers)
        rules6 = FamilyRules(ipv6: state, of: instance)
    }

    /// What the kernel is to hold.
    ///
    /// On the way from one state's table to another's no connection passes untranslated. A packet is judged by either
    /// the old or the new rules, but what it finds in sets and maps may be the new already, so: the chains where packets
    /// come in never change, what leads to a service stays in place, and its chain ends with a target that no map has
    /// to be asked for.
    package var table: PacketTable { rules.table }

    /// The same for IPv6; `nil` while no network has it.
    package var table6: PacketTable? { rules6.networks.isEmpty ? nil : rules6.table }

    /// Every block of addresses that is this instance's.
    var territory: [IPv4Subnet] { rules.territory }
    var territory6: [IPv6Subnet] { rules6.territory }
}

extension FamilyRules {
    /// What the kernel is to hold of this kind.
    var table: PacketTable {
        PacketTable(family: Address.family, name: instance.table, elements: sets + natMaps, chains: natChains + hookChains)
    }

    /// What a rule calls the packet's header.
    var ip: String { Address.family.tableFamily }

    /// An interface match for the containers' pairs.
    var containers: String { "\"\(instance.interfacePrefix)*\"" }

    var territory: [IPSubnet<Address>] {
        [pool] + Set(networks.map(\.subnet)).filter { !pool.overlaps($0) }.sorted()
    }

    /// The type of a set of addresses.
    var addressType: String { Address.family == .v4 ? "ipv4_addr" : "ipv6_addr" }

    /// The host's addresses that never leave it, as the only one or as a block.
    var loopback: String { Address.family == .v4 ? "127.0.0.0/8" : "::1" }

    private var sets: [PacketTable.Elements] {
        let same = networks.map { "\($0.subnet) . \($0.subnet)" }
        let own = endpoints.flatMap { endpoint in
            endpoint.addresses.flatMap { from in endpoint.addresses.map { "\(from) . \($0)" } }
        }
        let resolving = endpoints.flatMap { endpoint -> [String] in
            guard let resolver = endpoint.resolver else { return [] }
            return endpoint.addresses.map { "\($0) . \(resolver)" }
        }
        let unready = services.filter { $0.backends.allSatisfy { $0.weight <= 0 } }.map(\.address.description)
        // Published on all of the host's addresses means: on none of these.
        let unpublished = Address.family == .v4 ? ["127.0.0.0", "127.0.0.2-127.255.255.255"] : []
        return [
            .set("ours", addressType, interval: true, territory.map(\.description)),
            .set("unpublished", addressType, interval: true, territory.map(\.description) + unpublished),
            // The host itself, as far as it may be talked to from containers.
            .set("host", addressType, ([hostAddress] + gateways).map(\.description)),
            .set("same_network", "\(addressType) . \(addressType)", interval: true, same),
            .set("internal", addressType, interval: true, subnets(internal: true)),
            .set("outgoing", addressType, interval: true, subnets(internal: false)),
            .set("same_container", "\(addressType) . \(addressType)", own),
            .set("own_resolver", "\(addressType) . \(addressType)", resolving),
            .set("unready", addressType, unready),
        ]
    }

    private func subnets(internal isInternal: Bool) -> [String] {
        networks.filter { $0.isInternal == isInternal }.map(\.subnet.description)
    }
}

package import EscaleNetlink

/// The whole nftables table of an instance as text, from the state alone; equal states give equal texts.
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

    /// Commands that replace the table in one transaction.
    package var text: String {
        let table = "table ip \(instance.table)"
        let blocks = sets + natMaps + natChains + hookChains
        return "add \(table)\ndelete \(table)\n\(table) {\n" + blocks.joined(separator: "\n") + "}\n"
    }

    /// An interface match for the containers' pairs.
    var containers: String { "\"\(instance.interfacePrefix)*\"" }

    /// Every block of addresses that is this instance's.
    var territory: [IPv4Subnet] {
        [instance.pool] + Set(state.networks.map(\.subnet)).filter { !instance.pool.overlaps($0) }.sorted()
    }

    private var sets: [String] {
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
            Self.set("ours", "ipv4_addr", interval: true, territory.map(\.description)),
            // Published on all of the host's addresses means: on none of these.
            Self.set(
                "unpublished", "ipv4_addr", interval: true,
                territory.map(\.description) + ["127.0.0.0", "127.0.0.2-127.255.255.255"]),
            Self.set("same_network", "ipv4_addr . ipv4_addr", interval: true, same),
            Self.set("internal", "ipv4_addr", interval: true, subnets(internal: true)),
            Self.set("outgoing", "ipv4_addr", interval: true, subnets(internal: false)),
            Self.set("same_container", "ipv4_addr . ipv4_addr", own),
            Self.set("own_resolver", "ipv4_addr . ipv4_addr", resolving),
            Self.set("unready", "ipv4_addr", unready),
        ]
    }

    private func subnets(internal isInternal: Bool) -> [String] {
        state.networks.filter { $0.isInternal == isInternal }.map(\.subnet.description)
    }

    static func set(_ name: String, _ type: String, interval: Bool = false, _ elements: [String]) -> String {
        var text = "  set \(name) {\n    type \(type)\n"
        if interval { text += "    flags interval\n" }
        if let list = list(elements) { text += "    elements = \(list)\n" }
        return text + "  }\n"
    }

    static func map(_ name: String, _ type: String, _ elements: [String]) -> String {
        var text = "  map \(name) {\n    type \(type) : verdict\n"
        if let list = list(elements) { text += "    elements = \(list)\n" }
        return text + "  }\n"
    }

    static func chain(_ name: String, hook: String? = nil, _ rules: [String]) -> String {
        let lines = (hook.map { ["type \($0); policy accept;"] } ?? []) + rules
        return "  chain \(name) {\n" + lines.map { "    \($0)\n" }.joined() + "  }\n"
    }

    private static func list(_ elements: [String]) -> String? {
        elements.isEmpty ? nil : "{ " + Set(elements).sorted().joined(separator: ", ") + " }"
    }
}

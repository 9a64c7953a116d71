import EscaleNetlink

/// What the rules of one kind of addresses are made from: that part of a state.
struct FamilyRules<Address: IPAddress>: Sendable {
    struct Network: Sendable {
        let subnet: IPSubnet<Address>
        let isInternal: Bool
    }

    struct Endpoint: Sendable {
        let addresses: [Address]
        /// Who answers its questions for names.
        let resolver: Address?
    }

    struct Service: Sendable {
        let address: Address
        let backends: [(address: Address, weight: Int)]
    }

    let instance: NetworkInstance
    let pool: IPSubnet<Address>
    /// Where connections from the host itself to containers come from.
    let hostAddress: Address
    let gateways: [Address]
    let networks: [Network]
    let endpoints: [Endpoint]
    let services: [Service]
    let ports: [Port]

    /// A port of the host, with the backends of all that name it.
    struct Port: Sendable {
        let hostAddress: Address?
        let number: UInt16
        let transport: PublishedPort.Transport
        var backends: [(address: Address, port: UInt16, weight: Int)]
    }

    /// One entry per port of the host, the backends of those that name the same one together.
    private static func merged(_ ports: [Port]) -> [Port] {
        var merged: [Port] = []
        var places: [String: Int] = [:]
        for port in ports {
            if let place = places[port.chain] {
                merged[place].backends += port.backends
            } else {
                places[port.chain] = merged.count
                merged.append(port)
            }
        }
        return merged
    }
}

extension FamilyRules<IPv4Address> {
    init(ipv4 state: NetworkState, of instance: NetworkInstance, resolvers: [ResolverScope: IPv4Address]) {
        self.instance = instance
        pool = instance.pool
        hostAddress = instance.hostAddress
        gateways = Array(state.gateways)
        networks = state.networks.map { Network(subnet: $0.subnet, isInternal: $0.isInternal) }
        endpoints = state.endpoints.map { Endpoint(addresses: $0.addresses.map(\.address), resolver: resolvers[$0.scope]) }
        services = state.services.map { Service(address: $0.address, backends: $0.backends.map { ($0.address, $0.weight) }) }
        ports = Self.merged(
            state.ports.map { port in
                Port(
                    hostAddress: port.hostAddress, number: port.hostPort, transport: port.transport,
                    backends: port.backends.map { ($0.address, $0.port, $0.weight) })
            })
    }
}

extension FamilyRules<IPv6Address> {
    init(ipv6 state: NetworkState, of instance: NetworkInstance) {
        self.instance = instance
        pool = instance.pool6
        hostAddress = instance.hostAddress6
        gateways = Array(state.gateways6)
        networks = state.networks.compactMap { network in
            network.ipv6.map { Network(subnet: $0.subnet, isInternal: network.isInternal) }
        }
        endpoints = state.endpoints.map { Endpoint(addresses: $0.addresses.compactMap(\.ipv6), resolver: nil) }
        services = state.services.compactMap { service in
            service.ipv6.map { address in
                Service(address: address, backends: service.backends.compactMap { one in one.ipv6.map { ($0, one.weight) } })
            }
        }
        ports = []
    }
}

package import EscaleCore
package import EscaleNetlink

/// Everything that shall be true about the network of one instance: a value, compared and applied as a whole.
package struct NetworkState: Hashable, Codable, Sendable {
    package var networks: [AttachedNetwork]
    package var endpoints: [Endpoint]
    package var services: [VirtualService]
    package var ports: [PublishedPort]
    package var outside: [OutsideService]

    package init(
        networks: [AttachedNetwork] = [], endpoints: [Endpoint] = [], services: [VirtualService] = [],
        ports: [PublishedPort] = [], outside: [OutsideService] = []
    ) {
        self.networks = networks
        self.endpoints = endpoints
        self.services = services
        self.ports = ports
        self.outside = outside
    }

    /// The addresses that the host has on the networks.
    package var gateways: Set<IPv4Address> { Set(networks.compactMap(\.gateway)) }
    package var gateways6: Set<IPv6Address> { Set(networks.compactMap(\.ipv6?.gateway)) }

    /// The same on a host that has no IPv6.
    package var withoutIPv6: NetworkState {
        var state = self
        for index in state.networks.indices { state.networks[index].ipv6 = nil }
        for index in state.services.indices { state.services[index].ipv6 = nil }
        for index in state.endpoints.indices { state.endpoints[index] = state.endpoints[index].withoutIPv6 }
        return state
    }
}

/// A network that containers are on, or may be.
package struct AttachedNetwork: Hashable, Codable, Sendable {
    /// Its name on the host.
    package var name: NetworkName
    package var subnet: IPv4Subnet
    /// Whether its containers reach nothing but one another.
    package var isInternal: Bool
    /// An address of the host's in the subnet, by which its containers reach the host and all else; `nil` for none.
    package var gateway: IPv4Address?
    /// The largest packet that its containers send; `nil` for what fits the way out.
    package var mtu: Int?
    /// What it has of IPv6; `nil` where its containers have IPv4 addresses only.
    package var ipv6: IPv6Place?

    /// A network's IPv6 addresses, of which the host always has one.
    package struct IPv6Place: Hashable, Codable, Sendable {
        package var subnet: IPv6Subnet
        package var gateway: IPv6Address

        package init(subnet: IPv6Subnet, gateway: IPv6Address) {
            self.subnet = subnet
            self.gateway = gateway
        }
    }

    package init(
        name: NetworkName, subnet: IPv4Subnet, isInternal: Bool = false, gateway: IPv4Address? = nil, mtu: Int? = nil,
        ipv6: IPv6Place? = nil
    ) {
        self.name = name
        self.subnet = subnet
        self.isInternal = isInternal
        self.gateway = gateway
        self.mtu = mtu
        self.ipv6 = ipv6
    }
}

/// A container's place in the network.
package struct Endpoint: Hashable, Codable, Sendable {
    /// One of its addresses.
    package struct Address: Hashable, Codable, Sendable {
        package var network: NetworkName
        package var address: IPv4Address
        package var ipv6: IPv6Address?
        /// What the container is called on that network, besides the names of its service.
        package var names: [String]

        package init(network: NetworkName, address: IPv4Address, ipv6: IPv6Address? = nil, names: [String] = []) {
            self.network = network
            self.address = address
            self.ipv6 = ipv6
            self.names = names
        }
    }

    package var container: ContainerID
    /// In order of preference, one per network.
    package var addresses: [Address]
    /// The network that its own connections to the outside leave by, where that isn't the first that leads there.
    package var way: NetworkName?
    /// What its interface is called, and its hardware address where that doesn't follow from the first address.
    package var interface = "eth0"
    package var mac: MACAddress?
    /// The servers that names outside are asked of (`dns` in a compose file); empty for the host's.
    package var servers: [String]

    package init(container: ContainerID, addresses: [Address], servers: [String] = []) {
        self.container = container
        self.addresses = addresses
        self.servers = servers
    }

    package var networks: Set<NetworkName> { Set(addresses.map(\.network)) }

    /// The same on a host that has no IPv6.
    var withoutIPv6: Endpoint {
        var endpoint = self
        for index in endpoint.addresses.indices { endpoint.addresses[index].ipv6 = nil }
        return endpoint
    }
    package var scope: ResolverScope { ResolverScope(networks: networks, servers: servers) }
}

/// What a resolver knows: containers with equal scopes share one.
package struct ResolverScope: Hashable, Codable, Sendable {
    package let networks: Set<NetworkName>
    /// As ``Endpoint/servers``.
    package let servers: [String]

    package init(networks: Set<NetworkName>, servers: [String] = []) {
        self.networks = networks
        self.servers = servers
    }
}

/// A replica that takes a share of a service's new connections.
package struct ServiceBackend: Hashable, Codable, Sendable {
    package var address: IPv4Address
    package var ipv6: IPv6Address?
    /// Its share is this part of the sum of all weights; none at 0. Connections that it has already stay.
    package var weight: Int

    package init(address: IPv4Address, ipv6: IPv6Address? = nil, weight: Int = 1) {
        self.address = address
        self.ipv6 = ipv6
        self.weight = weight
    }
}

/// A service's address on one network: every protocol and port of it goes to the replicas.
package struct VirtualService: Hashable, Codable, Sendable {
    package var network: NetworkName
    package var address: IPv4Address
    /// The same for IPv6, to those replicas that have an address of it.
    package var ipv6: IPv6Address?
    package var names: [String]
    /// Whether its names stand for its replicas instead of for the address.
    package var answersWithReplicas: Bool
    /// The ready replicas' addresses on that network. With none, connections are refused at once.
    package var backends: [ServiceBackend]

    package init(
        network: NetworkName, address: IPv4Address, ipv6: IPv6Address? = nil, names: [String],
        answersWithReplicas: Bool = false, backends: [ServiceBackend]
    ) {
        self.network = network
        self.address = address
        self.ipv6 = ipv6
        self.names = names
        self.answersWithReplicas = answersWithReplicas
        self.backends = backends
    }

    /// What its names stand for.
    package var answers: [IPv4Address] {
        answersWithReplicas ? backends.filter { $0.weight > 0 }.map(\.address) : [address]
    }
    package var answers6: [IPv6Address] {
        guard let ipv6 else { return [] }
        return answersWithReplicas ? backends.filter { $0.weight > 0 }.compactMap(\.ipv6) : [ipv6]
    }
}

/// A host outside that is known on a network by a service's names.
package struct OutsideService: Hashable, Codable, Sendable {
    package var network: NetworkName
    package var names: [String]
    /// A name that this host's resolver knows, or an address.
    package var host: String
    /// What it was last found to be.
    package var answer = HostAnswer()

    package init(network: NetworkName, names: [String], host: String) {
        self.network = network
        self.names = names
        self.host = host
    }
}

/// A port of the host that leads to containers.
package struct PublishedPort: Hashable, Codable, Sendable {
    package enum Transport: String, Hashable, Codable, Sendable { case tcp, udp }

    package struct Backend: Hashable, Codable, Sendable {
        package var address: IPv4Address
        package var port: UInt16
        /// As ``ServiceBackend/weight``.
        package var weight: Int

        package init(address: IPv4Address, port: UInt16, weight: Int = 1) {
            self.address = address
            self.port = port
            self.weight = weight
        }
    }

    /// One address of the host; `nil` for all of them. 127.0.0.1 can be reached from the host only.
    package var hostAddress: IPv4Address?
    package var hostPort: UInt16
    package var transport: Transport
    /// With none, connections are refused at once.
    package var backends: [Backend]

    package init(
        hostAddress: IPv4Address? = nil, hostPort: UInt16, transport: Transport = .tcp, backends: [Backend]
    ) {
        self.hostAddress = hostAddress
        self.hostPort = hostPort
        self.transport = transport
        self.backends = backends
    }
}

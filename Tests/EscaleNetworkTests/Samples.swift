import EscaleCore
import EscaleNetlink
import EscaleNetwork

/// Reads a literal of a test; a wrong one shows as 0.0.0.0.
func address(_ text: String) -> IPv4Address { IPv4Address(text) ?? IPv4Address(rawValue: 0) }
func subnet(_ text: String) -> IPv4Subnet { IPv4Subnet(text) ?? .everything }
func address6(_ text: String) -> IPv6Address { IPv6Address(text) ?? IPv6Address(rawValue: 0) }
func subnet6(_ text: String) -> IPv6Subnet { IPv6Subnet(text) ?? .everything }
func network(_ name: String) -> NetworkName { NetworkName(rawValue: name) }
func container(_ digit: Character) -> ContainerID { ContainerID(rawValue: String(repeating: digit, count: 64)) }

enum Sample {
    static func instance(_ id: String = "") throws -> NetworkInstance {
        try NetworkInstance(id: id, pool: subnet("10.210.0.0/16"))
    }

    /// A web service of two replicas on a front network, one of which is on an internal network too.
    static let state = NetworkState(
        networks: [
            AttachedNetwork(name: network("shop_front"), subnet: subnet("10.210.0.0/22")),
            AttachedNetwork(name: network("shop_back"), subnet: subnet("10.210.4.0/22"), isInternal: true),
        ],
        endpoints: [
            Endpoint(
                container: container("a"),
                addresses: [.init(network: network("shop_front"), address: address("10.210.0.3"), names: ["web-1"])]),
            Endpoint(
                container: container("b"),
                addresses: [
                    .init(network: network("shop_back"), address: address("10.210.4.4"), names: ["web-2"]),
                    .init(network: network("shop_front"), address: address("10.210.0.4"), names: ["web-2"]),
                ]),
        ],
        services: [
            VirtualService(
                network: network("shop_front"), address: address("10.210.0.2"), names: ["web"],
                backends: [
                    ServiceBackend(address: address("10.210.0.3"), weight: 90),
                    ServiceBackend(address: address("10.210.0.4"), weight: 10),
                ]),
            VirtualService(
                network: network("shop_back"), address: address("10.210.4.2"), names: ["web", "api.shop"],
                backends: []),
        ],
        ports: [
            PublishedPort(
                hostPort: 8080,
                backends: [
                    .init(address: address("10.210.0.3"), port: 80), .init(address: address("10.210.0.4"), port: 80),
                ]),
            PublishedPort(
                hostAddress: address("127.0.0.1"), hostPort: 5353, transport: .udp,
                backends: [.init(address: address("10.210.0.3"), port: 53)]),
            PublishedPort(hostPort: 9090, backends: []),
        ])

    /// The same, but that the front network and all that is on it have IPv6; the internal one has too where it is said.
    static func withIPv6(everywhere: Bool = false) -> NetworkState {
        var state = state
        let prefix = ["shop_front": "fd65:730a:d200", "shop_back": "fd65:730a:d200:1"]
        func place(_ name: NetworkName, _ host: String) -> IPv6Address? {
            let isMeant = everywhere || name.rawValue == "shop_front"
            return isMeant ? prefix[name.rawValue].map { address6("\($0)::\(host)") } : nil
        }
        for index in state.networks.indices {
            let name = state.networks[index].name
            state.networks[index].ipv6 = place(name, "1").map {
                .init(subnet: IPv6Subnet(containing: $0, prefixLength: 64), gateway: $0)
            }
        }
        for index in state.endpoints.indices {
            for number in state.endpoints[index].addresses.indices {
                let name = state.endpoints[index].addresses[number].network
                state.endpoints[index].addresses[number].ipv6 = place(name, "\(index + 3)")
            }
        }
        for index in state.services.indices {
            state.services[index].ipv6 = place(state.services[index].network, "fffe")
            for number in state.services[index].backends.indices {
                state.services[index].backends[number].ipv6 = place(state.services[index].network, "\(number + 3)")
            }
        }
        return state
    }

    static let resolvers = [
        ResolverScope(networks: [network("shop_front")]): address("10.210.252.2"),
        ResolverScope(networks: [network("shop_front"), network("shop_back")]): address("10.210.252.3"),
    ]

    /// Some of three networks, six containers, four services and three ports.
    static func random(_ generator: inout some RandomNumberGenerator) -> NetworkState {
        let names = ["shop_front", "shop_back", "other"]
        let subnets = ["10.210.0.0/22", "10.210.4.0/22", "172.28.0.0/24"]
        var networks: [AttachedNetwork] = []
        for index in 0..<3 where Bool.random(using: &generator) {
            let isInternal = Bool.random(using: &generator)
            networks.append(
                AttachedNetwork(name: network(names[index]), subnet: subnet(subnets[index]), isInternal: isInternal))
        }
        let weights = (0..<6).map { _ in [0, 0, 1, 1, 5, 95].randomElement(using: &generator) ?? 0 }
        let boxes = (0..<6).map { address("10.210.0.\($0 + 3)") }
        var services: [VirtualService] = []
        for index in 0..<4 where Int.random(in: 0..<4, using: &generator) > 0 {
            var backends: [ServiceBackend] = []
            for box in 0..<6 where Bool.random(using: &generator) {
                backends.append(ServiceBackend(address: boxes[box], weight: weights[box]))
            }
            services.append(
                VirtualService(
                    network: network(names[0]), address: address("10.210.0.\(200 + index)"), names: ["s\(index)"],
                    backends: backends))
        }
        var ports: [PublishedPort] = []
        for index in 0..<3 where Bool.random(using: &generator) {
            var backends: [PublishedPort.Backend] = []
            for box in 0..<6 where Bool.random(using: &generator) {
                backends.append(.init(address: boxes[box], port: 80, weight: weights[box]))
            }
            ports.append(
                PublishedPort(
                    hostAddress: index == 1 ? address("127.0.0.1") : nil, hostPort: UInt16(8080 + index),
                    transport: index == 2 ? .udp : .tcp, backends: backends))
        }
        var endpoints: [Endpoint] = []
        for box in 0..<6 where Bool.random(using: &generator) {
            endpoints.append(
                Endpoint(
                    container: container(Character("\(box)")),
                    addresses: [.init(network: network(names[0]), address: boxes[box])]))
        }
        return NetworkState(networks: networks, endpoints: endpoints, services: services, ports: ports)
    }
}

import EscaleCore
import EscaleNetlink
import EscaleNetwork

/// Reads a literal of a test; a wrong one shows as 0.0.0.0.
func address(_ text: String) -> IPv4Address { IPv4Address(text) ?? IPv4Address(rawValue: 0) }
func subnet(_ text: String) -> IPv4Subnet { IPv4Subnet(text) ?? .everything }
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

    static let resolvers = [
        ResolverScope(networks: [network("shop_front")]): address("10.210.252.2"),
        ResolverScope(networks: [network("shop_front"), network("shop_back")]): address("10.210.252.3"),
    ]
}

/// What a network has besides its name.
package struct NetworkOptions: Codable, Hashable, Sendable {
    package var driver: String?
    package var driverOptions: [String: String]?
    package var isAttachable: Bool?
    package var enablesIPv4: Bool?
    package var enablesIPv6: Bool?
    package var addresses: AddressManagement?

    package init() {}

    static let mtuOption = "com.docker.network.driver.mtu"
    static let possibleMTU = 576...65535
    /// IPv6 takes no links with smaller packets.
    static let smallestIPv6MTU = 1280

    /// The largest packet that the network's containers send, where the file says it.
    package var mtu: Int? { driverOptions?[Self.mtuOption].flatMap(Int.init) }
}

/// `ipam`: which addresses a network has.
package struct AddressManagement: Codable, Hashable, Sendable {
    package struct Pool: Codable, Hashable, Sendable {
        /// An address with the length of its prefix, such as `172.28.0.0/16`.
        package var subnet: String?
        package var range: String?
        package var gateway: String?
        /// Addresses that are taken, by name.
        package var taken: [String: String] = [:]

        package init() {}
    }

    package var driver: String?
    package var pools: [Pool] = []
    /// The pool of IPv4 addresses, of which a network has one at most.
    package var ipv4Pool: Pool? { pools.first { $0.subnet.map { !$0.contains(":") } ?? false } }
    /// The same of IPv6, for a network with `enable_ipv6`.
    package var ipv6Pool: Pool? { pools.first { $0.subnet?.contains(":") ?? false } }
    package var options: [String: String] = [:]

    package init() {}
}

/// What a service's place on a network has besides names.
package struct AttachmentOptions: Codable, Hashable, Sendable {
    package var ipv4Address: String?
    package var ipv6Address: String?
    package var linkLocalAddresses: [String]?
    package var macAddress: String?
    package var interfaceName: String?
    package var driverOptions: [String: String]?
    package var priority: Int?
    package var gatewayPriority: Int?

    package init() {}
}

/// What a volume has besides its name.
package struct VolumeOptions: Codable, Hashable, Sendable {
    package var driver: String?
    package var driverOptions: [String: String]?

    package init() {}
}

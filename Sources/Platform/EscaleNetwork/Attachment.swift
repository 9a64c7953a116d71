package import EscaleCore
package import EscaleNetlink
import EscaleSystem

/// What one container's network namespace gets: a plain value, worked out before anything is touched.
package struct Attachment: Hashable, Sendable {
    /// The next hop of everything inside; only the container's end of the pair knows it.
    package static let gateway = IPv4Address(169, 254, 1, 1)
    /// The same for IPv6: fe80::1.
    package static let gateway6 = IPv6Address(rawValue: 0xfe80 << 112 | 1)

    /// The host's end of the pair.
    package let hostInterface: String
    /// The container's end of the pair.
    package let interface: String
    package let mac: MACAddress
    /// The smallest that one of its networks asks for; `nil` for what fits the way out.
    package let mtu: Int?
    package let ipv4: Wiring<IPv4Address>
    /// `nil` where none of its networks has IPv6.
    package let ipv6: Wiring<IPv6Address>?

    /// IPv6 takes no links with smaller packets.
    private static let smallestMTU6 = 1280

    /// - Throws: `network.not-found` where the endpoint is on a network that isn't among the given ones.
    package init(
        _ endpoint: Endpoint, networks: [AttachedNetwork], instance: NetworkInstance
    ) throws(EscaleError) {
        guard let first = endpoint.addresses.first else { throw .noAddress(endpoint.container) }
        var places: [Wiring<IPv4Address>.Place] = []
        var places6: [Wiring<IPv6Address>.Place] = []
        var sizes: [Int] = []
        for address in endpoint.addresses {
            guard let network = networks.first(where: { $0.name == address.network }) else {
                throw .unknownNetwork(address.network, endpoint.container)
            }
            let isWay = network.isInternal ? nil : network.name == endpoint.way
            places.append(.init(address: address.address, subnet: network.subnet, gateway: network.gateway, isWay: isWay))
            if let ipv6 = network.ipv6, let own = address.ipv6 {
                places6.append(.init(address: own, subnet: ipv6.subnet, gateway: ipv6.gateway, isWay: isWay))
            }
            if let mtu = network.mtu { sizes.append(mtu) }
        }
        hostInterface = instance.interface(of: endpoint.container)
        interface = endpoint.interface
        mac = endpoint.mac ?? MACAddress(for: first.address)
        mtu = sizes.min()
        ipv4 = Wiring(places, to: instance.reserved, of: instance.hostAddress, by: Self.gateway)
        ipv6 = places6.isEmpty ? nil : Wiring(places6, to: instance.reserved6, of: instance.hostAddress6, by: Self.gateway6)
    }

    /// Makes the pair and sets up both ends; whatever a former attempt left behind goes first.
    ///
    /// Leaves the calling thread in the container's namespace: only for `onNewThread`.
    package func perform(pid: Int32, mtu: Int) throws(EscaleError) {
        let namespace = try NetworkNamespace(ofProcess: pid)
        let near = LinkEnd(name: hostInterface, mac: .host)
        let mtu = max(self.mtu ?? mtu, ipv6 == nil ? 0 : Self.smallestMTU6)
        try {
            () throws(EscaleError) in
            let host = try RouteSocket()
            try host.removeLink(named: hostInterface)
            try host.createPair(near, LinkEnd(name: interface, mac: mac), in: namespace, mtu: mtu)
            try setUpOutside(host)
        }()
        try namespace.enter()
        try setUpInside(try RouteSocket())
    }

    private func setUpOutside(_ host: borrowing RouteSocket) throws(EscaleError) {
        guard let link = LinkIndex(named: hostInterface) else {
            throw EscaleError(.init("network.not-found"), "the interface \(hostInterface) vanished while it was set up")
        }
        // Strict against forged senders; 127.0.0.1's published ports are to reach containers; all else is routed.
        for (key, value) in [("rp_filter", 1), ("route_localnet", 1), ("forwarding", 1), ("send_redirects", 0)] {
            try Sysctl.set("net/ipv4/conf/\(hostInterface)/\(key)", value)
        }
        try setIPv6(of: hostInterface, isOn: ipv6 != nil)
        try host.setUp(link)
        try ipv4.setUpOutside(host, link, mac)
        try ipv6?.setUpOutside(host, link, mac)
    }

    private func setUpInside(_ inside: borrowing RouteSocket) throws(EscaleError) {
        guard let link = LinkIndex(named: interface) else {
            throw EscaleError(.init("network.not-found"), "the container's interface vanished while it was set up")
        }
        try inside.setUp(.loopback)
        let ipv6 = HostAddresses.hasIPv6 ? self.ipv6 : nil  // the container's `sysctls` may have switched it off
        try setIPv6(of: interface, isOn: ipv6 != nil)
        try inside.setUp(link)
        try ipv4.setUpInside(inside, link)
        try ipv6?.setUpInside(inside, link)
    }

    /// Both ends have the addresses that they are given, know each other, and hear of nobody else.
    private func setIPv6(of interface: String, isOn: Bool) throws(EscaleError) {
        let settings = "net/ipv6/conf/\(interface)"
        if isOn {
            for (key, value) in [("addr_gen_mode", 1), ("accept_ra", 0), ("autoconf", 0)] {
                try Sysctl.set("\(settings)/\(key)", value)
            }
        }
        try Sysctl.set("\(settings)/disable_ipv6", isOn ? 0 : 1, optional: !isOn)
    }
}

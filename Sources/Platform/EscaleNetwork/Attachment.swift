package import EscaleCore
package import EscaleNetlink

/// What one container's network namespace gets: a plain value, worked out before anything is touched.
package struct Attachment: Hashable, Sendable {
    /// The next hop of everything inside; only the container's end of the pair knows it.
    package static let gateway = IPv4Address(169, 254, 1, 1)
    package static let interface = "eth0"

    /// A route inside, always through the gateway.
    package struct Route: Hashable, Sendable {
        package let destination: IPv4Subnet
        package let source: IPv4Address
    }

    /// The host's end of the pair.
    package let hostInterface: String
    package let mac: MACAddress
    package let addresses: [IPv4Address]
    package let routes: [Route]
    /// Where connections from the host come from.
    package let hostAddress: IPv4Address

    /// - Throws: `network.not-found` where the endpoint is on a network that isn't among the given ones.
    package init(
        _ endpoint: Endpoint, networks: [AttachedNetwork], instance: NetworkInstance
    ) throws(EscaleError) {
        guard let first = endpoint.addresses.first else { throw .noAddress(endpoint.container) }
        var default_: Endpoint.Address?
        var routes = [Route(destination: instance.reserved, source: first.address)]
        for address in endpoint.addresses {
            guard let network = networks.first(where: { $0.name == address.network }) else {
                throw .unknownNetwork(address.network, endpoint.container)
            }
            if default_ == nil && !network.isInternal {
                default_ = address
                routes.append(Route(destination: .everything, source: address.address))
            } else {
                routes.append(Route(destination: network.subnet, source: address.address))
            }
        }
        hostInterface = instance.interface(of: endpoint.container)
        mac = MACAddress(for: first.address)
        addresses = endpoint.addresses.map(\.address)
        hostAddress = instance.hostAddress
        self.routes = routes
    }

    /// Makes the pair and sets up both ends; whatever a former attempt left behind goes first.
    ///
    /// Leaves the calling thread in the container's namespace: only for `onNewThread`.
    package func perform(pid: Int32, mtu: Int) throws(EscaleError) {
        let namespace = try NetworkNamespace(ofProcess: pid)
        let near = LinkEnd(name: hostInterface, mac: .host)
        try {
            () throws(EscaleError) in
            let host = try RouteSocket()
            try host.removeLink(named: hostInterface)
            try host.createPair(near, LinkEnd(name: Self.interface, mac: mac), in: namespace, mtu: mtu)
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
        try Sysctl.set("net/ipv6/conf/\(hostInterface)/disable_ipv6", 1, optional: true)
        try host.setUp(link)
        for address in addresses {
            try host.setNeighbour(address, mac, on: link)
            try host.setRoute(IPv4Route(to: IPv4Subnet(address), on: link, source: hostAddress))
        }
    }

    private func setUpInside(_ inside: borrowing RouteSocket) throws(EscaleError) {
        guard let link = LinkIndex(named: Self.interface) else {
            throw EscaleError(.init("network.not-found"), "the container's interface vanished while it was set up")
        }
        try inside.setUp(.loopback)
        try Sysctl.set("net/ipv6/conf/\(Self.interface)/disable_ipv6", 1, optional: true)
        for address in addresses { try inside.addAddress(address, to: link) }
        try inside.setUp(link)
        try inside.setNeighbour(Self.gateway, .host, on: link)
        try inside.setRoute(IPv4Route(to: IPv4Subnet(Self.gateway), on: link))
        for route in routes {
            try inside.setRoute(
                IPv4Route(to: route.destination, on: link, via: Self.gateway, source: route.source))
        }
    }
}

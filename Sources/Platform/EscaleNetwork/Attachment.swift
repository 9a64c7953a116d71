package import EscaleCore
package import EscaleNetlink

/// What one container's network namespace gets: a plain value, worked out before anything is touched.
package struct Attachment: Hashable, Sendable {
    /// The next hop of everything inside; only the container's end of the pair knows it.
    package static let gateway = IPv4Address(169, 254, 1, 1)

    /// A route inside.
    package struct Route: Hashable, Sendable {
        package let destination: IPv4Subnet
        package let source: IPv4Address
        /// The next hop: a network's own, or ``Attachment/gateway``.
        package let gateway: IPv4Address
    }

    /// The host's end of the pair.
    package let hostInterface: String
    /// The container's end of the pair.
    package let interface: String
    package let mac: MACAddress
    /// The smallest that one of its networks asks for; `nil` for what fits the way out.
    package let mtu: Int?
    package let addresses: [IPv4Address]
    package let routes: [Route]
    /// Where connections from the host come from.
    package let hostAddress: IPv4Address

    /// - Throws: `network.not-found` where the endpoint is on a network that isn't among the given ones.
    package init(
        _ endpoint: Endpoint, networks: [AttachedNetwork], instance: NetworkInstance
    ) throws(EscaleError) {
        guard let first = endpoint.addresses.first else { throw .noAddress(endpoint.container) }
        var places: [(address: IPv4Address, network: AttachedNetwork)] = []
        for address in endpoint.addresses {
            guard let network = networks.first(where: { $0.name == address.network }) else {
                throw .unknownNetwork(address.network, endpoint.container)
            }
            places.append((address.address, network))
        }
        let open = places.filter { !$0.network.isInternal }
        let way = (open.first { $0.network.name == endpoint.way } ?? open.first)?.network.name
        var routes = [Route(destination: instance.reserved, source: first.address, gateway: Self.gateway)]
        for (address, network) in places {
            routes.append(
                Route(
                    destination: network.name == way ? .everything : network.subnet, source: address,
                    gateway: network.gateway ?? Self.gateway))
        }
        hostInterface = instance.interface(of: endpoint.container)
        interface = endpoint.interface
        mac = endpoint.mac ?? MACAddress(for: first.address)
        mtu = places.compactMap(\.network.mtu).min()
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
            try host.createPair(near, LinkEnd(name: interface, mac: mac), in: namespace, mtu: self.mtu ?? mtu)
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
        guard let link = LinkIndex(named: interface) else {
            throw EscaleError(.init("network.not-found"), "the container's interface vanished while it was set up")
        }
        try inside.setUp(.loopback)
        try Sysctl.set("net/ipv6/conf/\(interface)/disable_ipv6", 1, optional: true)
        for address in addresses { try inside.addAddress(address, to: link) }
        try inside.setUp(link)
        for gateway in Set(routes.map(\.gateway)) {
            try inside.setNeighbour(gateway, .host, on: link)
            try inside.setRoute(IPv4Route(to: IPv4Subnet(gateway), on: link))
        }
        for route in routes {
            try inside.setRoute(
                IPv4Route(to: route.destination, on: link, via: route.gateway, source: route.source))
        }
    }
}

import EscaleCore
package import EscaleNetlink

/// What a container's interface gets of one kind of addresses.
package struct Wiring<Address: IPAddress>: Hashable, Sendable {
    /// A container's place on one network.
    struct Place {
        let address: Address
        let subnet: IPSubnet<Address>
        /// The host's address on it.
        let gateway: Address?
        /// Whether it is the preferred way to the outside; `nil` where it doesn't lead there.
        let isWay: Bool?
    }

    /// A route inside.
    package struct Route: Hashable, Sendable {
        package let destination: IPSubnet<Address>
        package let source: Address
        /// The next hop: a network's own, or one that only this container's end knows.
        package let gateway: Address
    }

    package let addresses: [Address]
    package let routes: [Route]
    /// Where connections from the host come from.
    package let hostAddress: Address

    /// - Parameters:
    ///   - places: at least one.
    ///   - reserved: what the host has for itself.
    ///   - gateway: the next hop where the network has none.
    init(_ places: [Place], to reserved: IPSubnet<Address>, of hostAddress: Address, by gateway: Address) {
        let way = places.firstIndex { $0.isWay == true } ?? places.firstIndex { $0.isWay != nil }
        var routes = places.prefix(1).map { Route(destination: reserved, source: $0.address, gateway: gateway) }
        for (index, place) in places.enumerated() {
            routes.append(
                Route(
                    destination: index == way ? .everything : place.subnet, source: place.address,
                    gateway: place.gateway ?? gateway))
        }
        addresses = places.map(\.address)
        self.routes = routes
        self.hostAddress = hostAddress
    }

    /// - Parameter mac: the container's.
    func setUpOutside(_ host: borrowing RouteSocket, _ link: LinkIndex, _ mac: MACAddress) throws(EscaleError) {
        for address in addresses {
            try host.setNeighbour(address, mac, on: link)
            try host.setRoute(IPRoute(to: IPSubnet(address), on: link, source: hostAddress))
        }
    }

    /// The link is up: IPv6 forgets the addresses of one that isn't.
    func setUpInside(_ inside: borrowing RouteSocket, _ link: LinkIndex) throws(EscaleError) {
        for address in addresses { try inside.addAddress(address, to: link) }
        for gateway in Set(routes.map(\.gateway)) {
            try inside.setNeighbour(gateway, .host, on: link)
            try inside.setRoute(IPRoute(to: IPSubnet(gateway), on: link))
        }
        for route in routes {
            try inside.setRoute(IPRoute(to: route.destination, on: link, via: route.gateway, source: route.source))
        }
    }
}

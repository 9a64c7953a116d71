import CNetlink
package import EscaleCore

/// One route of the main table.
package struct IPRoute<Address: IPAddress>: Hashable, Sendable {
    package var destination: IPSubnet<Address>
    package var link: LinkIndex
    /// `nil`: the destination is on the link itself.
    package var gateway: Address?
    /// The address that connections to there come from, where a program doesn't choose one.
    package var source: Address?

    package init(
        to destination: IPSubnet<Address>, on link: LinkIndex, via gateway: Address? = nil, source: Address? = nil
    ) {
        self.destination = destination
        self.link = link
        self.gateway = gateway
        self.source = source
    }
}

extension RouteSocket {
    /// The kernel's `IFA_F_NODAD`: nobody else on the link is asked before the address is used.
    private static let isKnownToBeUnique: UInt32 = 0x02

    /// Gives an interface an address, alone in its block; one that it has already is no error.
    package func addAddress(_ address: some IPAddress, to link: LinkIndex) throws(EscaleError) {
        try changeAddress(address, link) { (object) throws(EscaleError) in
            let result = rtnl_addr_add(handle, object, 0)
            if result != -Int32(NLE_EXIST) { try checkNetlink(result, "add the address \(address)") }
        }
    }

    /// Takes such an address from an interface; one that it doesn't have is no error.
    package func removeAddress(_ address: some IPAddress, from link: LinkIndex) throws(EscaleError) {
        try changeAddress(address, link) { (object) throws(EscaleError) in
            let result = rtnl_addr_delete(handle, object, 0)
            if result != -Int32(NLE_NOADDR) { try checkNetlink(result, "remove the address \(address)") }
        }
    }

    private func changeAddress<Address: IPAddress>(
        _ address: Address, _ link: LinkIndex, _ body: (OpaquePointer) throws(EscaleError) -> Void
    ) throws(EscaleError) {
        guard let object = rtnl_addr_alloc() else { throw outOfMemory() }
        defer { rtnl_addr_put(object) }
        rtnl_addr_set_ifindex(object, link.rawValue)
        if Address.family == .v6 { rtnl_addr_set_flags(object, Self.isKnownToBeUnique) }
        try withAddress(IPSubnet(address)) { (local) throws(EscaleError) in
            try checkNetlink(rtnl_addr_set_local(object, local), "use the address \(address)")
        }
        try body(object)
    }

    /// Adds the route, in place of any other to the same destination.
    package func setRoute(_ route: IPRoute<some IPAddress>) throws(EscaleError) {
        try withRoute(route) { (object) throws(EscaleError) in
            try checkNetlink(
                rtnl_route_add(handle, object, NLM_F_CREATE | NLM_F_REPLACE), "add a route to \(route.destination)")
        }
    }

    /// Removes the route; one that isn't there is no error.
    package func removeRoute(_ route: IPRoute<some IPAddress>) throws(EscaleError) {
        try withRoute(route) { (object) throws(EscaleError) in
            let result = rtnl_route_delete(handle, object, 0)
            // The kernel says "no such process" for a route that isn't there.
            if ![NLE_OBJ_NOTFOUND, NLE_NODEV].contains(where: { -Int32($0) == result }) {
                try checkNetlink(result, "remove the route to \(route.destination)")
            }
        }
    }

    private func withRoute<Address: IPAddress>(
        _ route: IPRoute<Address>, _ body: (OpaquePointer) throws(EscaleError) -> Void
    ) throws(EscaleError) {
        guard let object = rtnl_route_alloc() else { throw outOfMemory() }
        defer { rtnl_route_put(object) }
        guard let hop = rtnl_route_nh_alloc() else { throw outOfMemory() }
        rtnl_route_add_nexthop(object, hop)  // the route owns it from here
        rtnl_route_set_family(object, UInt8(Address.family.number))
        rtnl_route_set_table(object, UInt32(RT_TABLE_MAIN.rawValue))
        rtnl_route_set_protocol(object, UInt8(RTPROT_STATIC))
        rtnl_route_set_type(object, UInt8(RTN_UNICAST))
        rtnl_route_set_scope(object, UInt8((route.gateway == nil ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE).rawValue))
        rtnl_route_nh_set_ifindex(hop, route.link.rawValue)
        try withAddress(route.destination) { (address) throws(EscaleError) in
            try checkNetlink(rtnl_route_set_dst(object, address), "route to \(route.destination)")
        }
        if let gateway = route.gateway {
            rtnl_route_nh_set_flags(hop, UInt32(RTNH_F_ONLINK))
            try withAddress(IPSubnet(gateway)) { (address) throws(EscaleError) in
                rtnl_route_nh_set_gateway(hop, address)
            }
        }
        if let source = route.source {
            try withAddress(IPSubnet(source)) { (address) throws(EscaleError) in
                try checkNetlink(rtnl_route_set_pref_src(object, address), "route from \(source)")
            }
        }
        try body(object)
    }

    /// Tells the kernel for good which Ethernet address an address on the link has, so that it never asks.
    package func setNeighbour(_ address: some IPAddress, _ mac: MACAddress, on link: LinkIndex) throws(EscaleError) {
        guard let object = rtnl_neigh_alloc() else { throw outOfMemory() }
        defer { rtnl_neigh_put(object) }
        rtnl_neigh_set_ifindex(object, link.rawValue)
        rtnl_neigh_set_state(object, NUD_PERMANENT)
        try withAddress(IPSubnet(address)) { (destination) throws(EscaleError) in
            try checkNetlink(rtnl_neigh_set_dst(object, destination), "use the neighbour \(address)")
        }
        try withAddress(AF_LLC, mac.bytes) { (address) throws(EscaleError) in
            rtnl_neigh_set_lladdr(object, address)
        }
        try checkNetlink(
            rtnl_neigh_add(handle, object, NLM_F_CREATE | NLM_F_REPLACE), "add the neighbour \(address)")
    }
}

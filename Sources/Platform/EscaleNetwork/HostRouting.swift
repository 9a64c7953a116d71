import EscaleCore
import EscaleNetlink
import EscaleSystem

/// The host's side of what all containers share: forwarding, addresses on `lo`, and who owns which block. Blocks.
struct HostRouting: Sendable {
    let instance: NetworkInstance

    /// Makes forwarding, the host's own address and the routes of the blocks true, whatever was before.
    ///
    /// The routes lead to `lo`, where packets to addresses that no container has end instead of leaving the host.
    func prepare(_ territory: [IPv4Subnet]) throws(EscaleError) {
        try Sysctl.set("net/ipv4/ip_forward", 1)
        try prepare(territory, hostAddress: instance.hostAddress)
    }

    /// The same for IPv6, where the kernel itself refuses what its routes lead to `lo`. For hosts that have it.
    func prepare6(_ territory: [IPv6Subnet]) throws(EscaleError) {
        try forward6()
        try prepare(territory, hostAddress: instance.hostAddress6)
    }

    private func prepare<Address: IPAddress>(
        _ territory: [IPSubnet<Address>], hostAddress: Address
    ) throws(EscaleError) {
        let socket = try RouteSocket()
        try socket.addAddress(hostAddress, to: .loopback)
        for subnet in territory { try socket.setRoute(IPRoute(to: subnet, on: .loopback, source: hostAddress)) }
    }

    /// A kernel that forwards takes itself for a router, which no longer listens to other routers' word for its own way out,
    /// and forgets what it has heard. So interfaces that listen are told to go on with it first.
    private func forward6() throws(EscaleError) {
        let settings = "net/ipv6/conf"
        if let now = try? Files.readText("/proc/sys/\(settings)/all/forwarding"), now == "1\n" { return }  // else shows below
        for link in try Files.list("/proc/sys/\(settings)") {
            let listens = try? Files.readText("/proc/sys/\(settings)/\(link)/accept_ra")  // an interface that has gone
            if listens == "1\n" { try Sysctl.set("\(settings)/\(link)/accept_ra", 2, optional: true) }
        }
        try Sysctl.set("\(settings)/all/forwarding", 1)
    }

    /// The packet size that fits the way out; 1500 where there is none.
    func mtu() throws(EscaleError) -> Int {
        guard let uplink = try HostAddresses.uplink() else { return 1500 }
        return try RouteSocket().mtu(of: uplink)
    }

    func add(_ addresses: some Sequence<some IPAddress>) throws(EscaleError) {
        let socket = try RouteSocket()
        for address in addresses { try socket.addAddress(address, to: .loopback) }
    }

    /// Takes what the instance has on `lo` away, but for these: what is in its own block, and the given ones.
    func removeAddresses<Address: IPAddress>(
        _ given: Set<Address>, of reserved: IPSubnet<Address>, except kept: Set<Address>
    ) throws(EscaleError) {
        let ours = try HostAddresses.assigned(Address.self).filter {
            (reserved.contains($0.address) || given.contains($0.address)) && $0.link == "lo"
        }
        let socket = try RouteSocket()
        for assigned in ours where !kept.contains(assigned.address) {
            try socket.removeAddress(assigned.address, from: .loopback)
        }
    }

    func removeRoutes<Address: IPAddress>(_ subnets: some Sequence<IPSubnet<Address>>) throws(EscaleError) {
        let socket = try RouteSocket()
        for subnet in subnets { try socket.removeRoute(IPRoute(to: subnet, on: .loopback)) }
    }
}

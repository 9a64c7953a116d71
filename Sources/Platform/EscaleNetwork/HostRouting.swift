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
        let socket = try RouteSocket()
        try socket.addAddress(instance.hostAddress, to: .loopback)
        for subnet in territory {
            try socket.setRoute(IPv4Route(to: subnet, on: .loopback, source: instance.hostAddress))
        }
    }

    /// The packet size that fits the way out; 1500 where there is none.
    func mtu() throws(EscaleError) -> Int {
        guard let uplink = try HostAddresses.uplink() else { return 1500 }
        return try RouteSocket().mtu(of: uplink)
    }

    func add(_ addresses: some Sequence<IPv4Address>) throws(EscaleError) {
        let socket = try RouteSocket()
        for address in addresses { try socket.addAddress(address, to: .loopback) }
    }

    /// Takes what the instance has on `lo` away, but for these: what is in its own block, and the given ones.
    func removeAddresses(_ given: Set<IPv4Address>, except kept: Set<IPv4Address>) throws(EscaleError) {
        let ours = try HostAddresses.assigned().filter {
            (instance.reserved.contains($0.address) || given.contains($0.address)) && $0.link == "lo"
        }
        let socket = try RouteSocket()
        for assigned in ours where !kept.contains(assigned.address) {
            try socket.removeAddress(assigned.address, from: .loopback)
        }
    }

    func removeRoutes(_ subnets: some Sequence<IPv4Subnet>) throws(EscaleError) {
        let socket = try RouteSocket()
        for subnet in subnets { try socket.removeRoute(IPv4Route(to: subnet, on: .loopback)) }
    }
}

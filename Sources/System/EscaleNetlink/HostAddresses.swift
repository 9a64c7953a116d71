package import EscaleCore
import EscaleSystem
import Glibc

/// What the kernel has in the calling thread's namespace, read from its own text tables.
package enum HostAddresses {
    /// One route, as the kernel's text tables list them.
    package struct Route<Address: IPAddress>: Hashable, Sendable {
        package let link: String
        package let destination: IPSubnet<Address>
        package let metric: Int
    }

    /// One address of an interface.
    package struct Assigned<Address: IPAddress>: Hashable, Sendable {
        package let link: String
        package let address: Address
        package let subnet: IPSubnet<Address>
    }

    /// Whether programs of this namespace have IPv6: the kernel does, and nobody has switched it off.
    package static var hasIPv6: Bool {
        // The file can't be read where the kernel has no IPv6 at all.
        (try? Files.readText("/proc/sys/net/ipv6/conf/lo/disable_ipv6")) == "0\n"
    }

    /// Those of IPv4's main table; of IPv6 those of all tables.
    package static func routes<Address: IPAddress>(
        _ kind: Address.Type = IPv4Address.self
    ) throws(EscaleError) -> [Route<Address>] {
        let directory = "/proc/thread-self/net"
        switch Address.family {
        case .v4: return parseRoutes(try Files.readText("\(directory)/route"), skipping: 1, parseIPv4)
        case .v6:
            guard Files.exists("\(directory)/ipv6_route") else { return [] }
            return parseRoutes(try Files.readText("\(directory)/ipv6_route"), skipping: 0, parseIPv6)
        }
    }

    /// The interface of the default route with the lowest metric; `nil` where there is none.
    package static func uplink() throws(EscaleError) -> String? {
        try routes().filter { $0.destination == .everything }.min { $0.metric < $1.metric }?.link
    }

    package static func assigned<Address: IPAddress>(
        _ kind: Address.Type = IPv4Address.self
    ) throws(EscaleError) -> [Assigned<Address>] {
        var first: UnsafeMutablePointer<ifaddrs>?
        try check("list the host's addresses") { getifaddrs(&first) }
        defer { freeifaddrs(first) }
        var found: [Assigned<Address>] = []
        var next = first
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address: Address = read(entry.pointee.ifa_addr), let mask: Address = read(entry.pointee.ifa_netmask)
            else { continue }
            let subnet = IPSubnet(containing: address, prefixLength: mask.rawValue.nonzeroBitCount)
            found.append(Assigned(link: String(cString: entry.pointee.ifa_name), address: address, subnet: subnet))
        }
        return found
    }

    /// A part of the address space that an interface of the host has something to do with.
    package struct Block<Address: IPAddress>: Hashable, Sendable {
        package let link: String
        package let subnet: IPSubnet<Address>
    }

    /// Blocks that routes lead to and addresses are from. Not the ways to everything: a route for half of all addresses
    /// (VPNs have them) is a default route in disguise. Nor what every link has, such as IPv6's `fe80::/10`.
    package static func blocks<Address: IPAddress>(
        _ kind: Address.Type = IPv4Address.self
    ) throws(EscaleError) -> [Block<Address>] {
        let routes = try routes(kind).map { Block(link: $0.link, subnet: $0.destination) }
        let addresses = try assigned(kind).map { Block(link: $0.link, subnet: $0.subnet) }
        let everywhere = Address.family == .v4 ? [] : ["fe80::/10", "ff00::/8"].compactMap { IPSubnet<Address>($0) }
        return (routes + addresses).filter { block in
            block.subnet.prefixLength > 7 && !everywhere.contains { $0.contains(block.subnet) }
        }
    }

    private static func read<Address: IPAddress>(_ address: UnsafePointer<sockaddr>?) -> Address? {
        guard let address, Int32(address.pointee.sa_family) == Address.family.number else { return nil }
        let start = UnsafeRawPointer(address) + Address.family.offsetInSocketAddress
        return Address(bytes: UnsafeRawBufferPointer(start: start, count: Address.Number.bitWidth / 8))
    }

    private typealias Fields = [Substring]

    /// Lines that it doesn't understand are left out.
    private static func parseRoutes<Address: IPAddress>(
        _ text: String, skipping heads: Int, _ parse: (Fields) -> (link: Substring, address: [UInt8], length: Int, metric: Int)?
    ) -> [Route<Address>] {
        text.split(separator: "\n").dropFirst(heads).compactMap { line in
            guard let route = parse(line.split { $0 == "\t" || $0 == " " }) else { return nil }
            let subnet = IPSubnet(containing: Address(bytes: route.address), prefixLength: route.length)
            return Route(link: String(route.link), destination: subnet, metric: route.metric)
        }
    }

    /// The columns are interface, destination, gateway, flags, reference count, use, metric and mask.
    private static func parseIPv4(_ fields: Fields) -> (link: Substring, address: [UInt8], length: Int, metric: Int)? {
        guard fields.count > 7, let destination = UInt32(fields[1], radix: 16), let mask = UInt32(fields[7], radix: 16),
            let metric = Int(fields[6])
        else { return nil }
        return (fields[0], IPv4Address(rawValue: UInt32(bigEndian: destination)).bytes, mask.nonzeroBitCount, metric)
    }

    /// The columns are destination and length, source and length, next hop, metric, reference count, use, flags and interface.
    private static func parseIPv6(_ fields: Fields) -> (link: Substring, address: [UInt8], length: Int, metric: Int)? {
        guard fields.count > 9, let destination = UInt128(fields[0], radix: 16), let length = Int(fields[1], radix: 16),
            let metric = Int(fields[5], radix: 16)
        else { return nil }
        return (fields[9], IPv6Address(rawValue: destination).bytes, length, metric)
    }
}

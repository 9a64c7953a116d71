package import EscaleCore
import EscaleSystem
import Glibc

/// What the kernel has in the calling thread's namespace, read from its own text tables.
package enum HostAddresses {
    /// One route of the main table as `/proc/net/route` lists it.
    package struct Route: Hashable, Sendable {
        package let link: String
        package let destination: IPv4Subnet
        package let metric: Int
    }

    /// One address of an interface.
    package struct Assigned: Hashable, Sendable {
        package let link: String
        package let address: IPv4Address
        package let subnet: IPv4Subnet
    }

    package static func routes() throws(EscaleError) -> [Route] {
        parseRoutes(try Files.readText("/proc/thread-self/net/route"))
    }

    /// The interface of the default route with the lowest metric; `nil` where there is none.
    package static func uplink() throws(EscaleError) -> String? {
        try routes().filter { $0.destination == .everything }.min { $0.metric < $1.metric }?.link
    }

    package static func assigned() throws(EscaleError) -> [Assigned] {
        var first: UnsafeMutablePointer<ifaddrs>?
        try check("list the host's addresses") { getifaddrs(&first) }
        defer { freeifaddrs(first) }
        var found: [Assigned] = []
        var next = first
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = ipv4(entry.pointee.ifa_addr), let mask = ipv4(entry.pointee.ifa_netmask) else { continue }
            let subnet = IPv4Subnet(containing: address, prefixLength: mask.rawValue.nonzeroBitCount)
            found.append(Assigned(link: String(cString: entry.pointee.ifa_name), address: address, subnet: subnet))
        }
        return found
    }

    /// A part of the address space that an interface of the host has something to do with.
    package struct Block: Hashable, Sendable {
        package let link: String
        package let subnet: IPv4Subnet
    }

    /// Blocks that routes lead to and addresses are from. Not the ways to everything: a route for half of all addresses
    /// (VPNs have them) is a default route in disguise.
    package static func blocks() throws(EscaleError) -> [Block] {
        let routes = try routes().map { Block(link: $0.link, subnet: $0.destination) }
        let addresses = try assigned().map { Block(link: $0.link, subnet: $0.subnet) }
        return (routes + addresses).filter { $0.subnet.prefixLength > 7 }
    }

    private static func ipv4(_ address: UnsafePointer<sockaddr>?) -> IPv4Address? {
        guard let address, address.pointee.sa_family == UInt16(AF_INET) else { return nil }
        return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
            IPv4Address(rawValue: UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
        }
    }

    /// Lines that it doesn't understand are left out.
    static func parseRoutes(_ text: String) -> [Route] {
        text.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split { $0 == "\t" || $0 == " " }
            guard fields.count > 7, let destination = UInt32(fields[1], radix: 16),
                let mask = UInt32(fields[7], radix: 16), let metric = Int(fields[6])
            else { return nil }
            let address = IPv4Address(rawValue: UInt32(bigEndian: destination))
            let subnet = IPv4Subnet(containing: address, prefixLength: mask.nonzeroBitCount)
            return Route(link: String(fields[0]), destination: subnet, metric: metric)
        }
    }
}

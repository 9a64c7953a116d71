package import EscaleCore
package import EscaleNetlink

/// One Escale among those that run side by side on a host: what it calls its things, and which addresses are its own.
///
/// The pool's last `/22` is kept for the host's own address and the resolvers; the rest is for networks.
package struct NetworkInstance: Hashable, Codable, Sendable {
    /// Empty for the main one, else up to four lower-case letters and digits.
    package let id: String
    package let pool: IPv4Subnet

    /// - Throws: `input.invalid` for an id that doesn't fit into interface names, or a pool smaller than `/20`.
    package init(id: String, pool: IPv4Subnet) throws(EscaleError) {
        let plain = id.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
        guard plain, id.utf8.count <= 4 else {
            throw EscaleError(.invalidInput, "\"\(id)\" can't name an instance", hint: "use up to four of a-z and 0-9")
        }
        guard (8...20).contains(pool.prefixLength) else {
            throw EscaleError(.invalidInput, "\(pool) can't be a pool of addresses", hint: "use a /16")
        }
        self.id = id
        self.pool = pool
    }

    /// The name of its nftables table.
    package var table: String { id.isEmpty ? "escale" : "escale_\(id)" }

    /// What the names of its interfaces on the host, and of no others, start with.
    package var interfacePrefix: String { "esc\(id)-" }

    /// The host's end of the container's pair: at most 15 characters, as the kernel wants it.
    package func interface(of container: ContainerID) -> String {
        interfacePrefix + container.rawValue.prefix(15 - interfacePrefix.utf8.count)
    }

    /// The block that no network is made from.
    package var reserved: IPv4Subnet { IPv4Subnet(containing: pool.lastAddress, prefixLength: 22) }

    /// Where connections from the host itself to containers come from, as far as they see.
    package var hostAddress: IPv4Address { reserved.address.advanced(by: 1) }

    /// A resolver address that isn't taken; `nil` where all thousand are.
    package func freeResolver(excluding taken: Set<IPv4Address>) -> IPv4Address? {
        firstFree(in: reserved, excluding: taken, skipping: 1)
    }

    /// A subnet for one more network; `nil` where the pool is used up.
    package func freeNetwork(excluding taken: some Collection<IPv4Subnet>) -> IPv4Subnet? {
        firstFreeSubnet(ofLength: 22, in: pool, excluding: taken + [reserved])
    }
}

/// Its IPv6 addresses, which follow from those of IPv4, so that no two instances of a host have the same.
extension NetworkInstance {
    /// Unique-local addresses: `fd`, two letters of ours, and the beginning of the IPv4 pool.
    package var pool6: IPv6Subnet {
        let head = [0xfd, UInt8(ascii: "e"), UInt8(ascii: "s")] + pool.address.bytes.prefix(3)
        let number = head.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        return IPv6Subnet(containing: IPv6Address(rawValue: number << 80), prefixLength: 48)
    }

    /// The block that no network is made from.
    package var reserved6: IPv6Subnet { IPv6Subnet(containing: pool6.lastAddress, prefixLength: 64) }

    /// As ``hostAddress``.
    package var hostAddress6: IPv6Address { reserved6.address.advanced(by: 1) }

    /// As ``freeNetwork(excluding:)``.
    package func freeNetwork6(excluding taken: some Collection<IPv6Subnet>) -> IPv6Subnet? {
        firstFreeSubnet(ofLength: 64, in: pool6, excluding: taken + [reserved6])
    }
}

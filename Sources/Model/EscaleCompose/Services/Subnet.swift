/// A range of addresses that share a prefix, such as `172.28.0.0/16`.
struct Subnet {
    private let bytes: [UInt8]
    fileprivate let prefixLength: Int

    /// `nil` for anything but an address, a slash and the number of its leading bits.
    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let bytes = HostAddress.bytes(of: String(parts[0])),
            let length = Int(parts[1]),
            (0...bytes.count * 8).contains(length)
        else { return nil }
        self.bytes = bytes
        prefixLength = length
    }

    var family: HostAddress.Family { bytes.count == 4 ? .v4 : .v6 }

    /// The first address of the range, which is what should be written before the slash.
    var base: [UInt8] { bytes.indices.map { bytes[$0] & mask(at: $0) } }

    var isBase: Bool { base == bytes }

    func contains(_ address: [UInt8]) -> Bool {
        address.count == bytes.count && address.indices.allSatisfy { address[$0] & mask(at: $0) == base[$0] }
    }

    func contains(_ other: Subnet) -> Bool { other.prefixLength >= prefixLength && contains(other.bytes) }

    func overlaps(_ other: Subnet) -> Bool { contains(other) || other.contains(self) }

    private func mask(at index: Int) -> UInt8 {
        let bits = min(8, max(0, prefixLength - index * 8))
        return bits == 0 ? 0 : UInt8(truncatingIfNeeded: 0xFF << (8 - bits))
    }
}

extension Subnet {
    /// Blocks that mean something else than a machine on a network.
    private static let special = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8"]
        .compactMap(Subnet.init)

    /// Whether it is of a size and in a place where containers can be.
    var holdsContainers: Bool {
        let isSized = family == .v4 ? (4...30).contains(prefixLength) : (8...126).contains(prefixLength)
        return isSized && !Self.special.contains(where: overlaps)
    }
}

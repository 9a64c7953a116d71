/// A block of addresses. The bits behind the prefix are always zero.
package struct IPSubnet<Address: IPAddress>: Hashable, Comparable, Sendable, LosslessStringConvertible {
    /// How many bits an address has: the longest prefix.
    private static var width: Int { Address.Number.bitWidth }

    /// Its lowest address.
    package let address: Address
    /// 0 … 32, or 128.
    package let prefixLength: Int

    /// The subnet of that size that holds the address; the length is clamped to what there is.
    package init(containing address: Address, prefixLength: Int) {
        self.prefixLength = min(max(prefixLength, 0), Self.width)
        self.address = Address(rawValue: address.rawValue & Self.mask(self.prefixLength))
    }

    /// The one address.
    package init(_ address: Address) { self.init(containing: address, prefixLength: Self.width) }

    /// Reads an address, a slash and a length, or an address alone; `nil` for anything else, bits behind the prefix among it.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = Address(String(parts[0])) else { return nil }
        guard parts.count == 2 else {
            self.init(address)
            return
        }
        guard let length = decimal(parts[1]), length <= Self.width else { return nil }
        self.init(containing: address, prefixLength: Int(length))
        guard self.address == address else { return nil }
    }

    package static var everything: Self { Self(containing: Address(rawValue: 0), prefixLength: 0) }

    package var lastAddress: Address { Address(rawValue: address.rawValue | ~Self.mask(prefixLength)) }

    package func contains(_ other: Address) -> Bool { address <= other && other <= lastAddress }
    package func contains(_ other: Self) -> Bool { prefixLength <= other.prefixLength && contains(other.address) }
    package func overlaps(_ other: Self) -> Bool { contains(other) || other.contains(self) }

    /// What may be given to somebody: all but the first (the network's own, or any router's) and the last (its broadcast
    /// address); where there are only one or two, every address.
    package var assignable: ClosedRange<Address> {
        prefixLength >= Self.width - 1
            ? address...lastAddress : address.advanced(by: 1)...lastAddress.advanced(by: ~0)
    }

    package var description: String { "\(address)/\(prefixLength)" }
    package static func < (left: Self, right: Self) -> Bool {
        (left.address, left.prefixLength) < (right.address, right.prefixLength)
    }

    private static func mask(_ length: Int) -> Address.Number { length == 0 ? 0 : ~0 << Address.Number(width - length) }
}

extension IPSubnet: Codable {
    package init(from decoder: any Decoder) throws { self = try decodeText(decoder, as: "an \(Address.family.name) subnet") }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// An IPv4 address. Written, decoded and sorted as `10.210.0.5`; arithmetic is on the number.
package struct IPv4Address: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible,
    LosslessStringConvertible
{
    /// The number in host byte order: 10.0.0.1 is 0x0a000001.
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        rawValue = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    /// Reads exactly four decimal numbers; `nil` for anything else, leading zeros (octal to some) among it.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard let byte = decimal(part), byte < 256 else { return nil }
            value = value << 8 | byte
        }
        rawValue = value
    }

    /// From highest to lowest.
    package var bytes: [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: rawValue >> $0) } }
    package var description: String { bytes.map(String.init).joined(separator: ".") }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// The address this many steps further; wraps at the end of the address space.
    package func advanced(by steps: UInt32) -> Self { Self(rawValue: rawValue &+ steps) }
}

/// A block of IPv4 addresses: `10.210.0.0/22`. The bits behind the prefix are always zero.
package struct IPv4Subnet: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    /// Its lowest address.
    package let address: IPv4Address
    /// 0 … 32.
    package let prefixLength: Int

    /// The subnet of that size that holds the address; the length is clamped to 0 … 32.
    package init(containing address: IPv4Address, prefixLength: Int) {
        self.prefixLength = min(max(prefixLength, 0), 32)
        self.address = IPv4Address(rawValue: address.rawValue & Self.mask(self.prefixLength))
    }

    /// The one address.
    package init(_ address: IPv4Address) { self.init(containing: address, prefixLength: 32) }

    /// Reads `a.b.c.d/n`, or an address alone as `/32`; `nil` for anything else, bits behind the prefix among it.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPv4Address(String(parts[0])) else { return nil }
        guard parts.count == 2 else {
            self.init(address)
            return
        }
        guard let length = decimal(parts[1]), length <= 32 else { return nil }
        self.init(containing: address, prefixLength: Int(length))
        guard self.address == address else { return nil }
    }

    package static let everything = IPv4Subnet(containing: IPv4Address(rawValue: 0), prefixLength: 0)

    package var lastAddress: IPv4Address {
        IPv4Address(rawValue: address.rawValue | ~Self.mask(prefixLength))
    }

    package func contains(_ other: IPv4Address) -> Bool { address <= other && other <= lastAddress }
    package func contains(_ other: IPv4Subnet) -> Bool {
        prefixLength <= other.prefixLength && contains(other.address)
    }
    package func overlaps(_ other: IPv4Subnet) -> Bool { contains(other) || other.contains(self) }

    /// What may be given to somebody: all but the first (the network's own) and the last (its broadcast address);
    /// in `/31` and `/32` every address.
    package var assignable: ClosedRange<IPv4Address> {
        prefixLength >= 31 ? address...lastAddress : address.advanced(by: 1)...lastAddress.advanced(by: ~0)
    }

    package var description: String { "\(address)/\(prefixLength)" }
    package static func < (left: Self, right: Self) -> Bool {
        (left.address, left.prefixLength) < (right.address, right.prefixLength)
    }

    private static func mask(_ length: Int) -> UInt32 { length == 0 ? 0 : ~0 << UInt32(32 - length) }
}

/// A decimal number of one to three digits without leading zeros.
private func decimal(_ text: Substring) -> UInt32? {
    guard (1...3).contains(text.utf8.count), text == "0" || text.utf8.first != UInt8(ascii: "0"),
        text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return UInt32(text)
}

extension IPv4Address: Codable {
    package init(from decoder: any Decoder) throws { self = try decodeText(decoder, as: "an IPv4 address") }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension IPv4Subnet: Codable {
    package init(from decoder: any Decoder) throws { self = try decodeText(decoder, as: "an IPv4 subnet") }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

private func decodeText<Value: LosslessStringConvertible>(_ decoder: any Decoder, as what: String) throws -> Value {
    let container = try decoder.singleValueContainer()
    guard let value = Value(try container.decode(String.self)) else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "not \(what)")
    }
    return value
}

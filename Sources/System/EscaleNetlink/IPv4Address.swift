/// An IPv4 address. Written, decoded and sorted as `10.210.0.5`; arithmetic is on the number.
package struct IPv4Address: IPAddress {
    package static let family = AddressFamily.v4
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

    package var description: String { bytes.map(String.init).joined(separator: ".") }
}

/// A block of IPv4 addresses: `10.210.0.0/22`.
package typealias IPv4Subnet = IPSubnet<IPv4Address>

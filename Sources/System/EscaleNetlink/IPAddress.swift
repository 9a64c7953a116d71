import Glibc

/// The two kinds of addresses.
package enum AddressFamily: Hashable, Sendable {
    case v4, v6

    package var name: String { self == .v4 ? "IPv4" : "IPv6" }

    /// The kernel's number.
    var number: Int32 { self == .v4 ? AF_INET : AF_INET6 }

    /// Where the address begins in the kernel's `sockaddr_in` and `sockaddr_in6`.
    var offsetInSocketAddress: Int { self == .v4 ? 4 : 8 }
}

/// An address as a number: what networks, allocation and rules have to know, whichever of the two kinds it is.
package protocol IPAddress: Hashable, Comparable, Codable, Sendable, LosslessStringConvertible {
    associatedtype Number: FixedWidthInteger & UnsignedInteger & Sendable

    static var family: AddressFamily { get }
    /// In host byte order: 10.0.0.1 is 0x0a000001.
    var rawValue: Number { get }
    init(rawValue: Number)
}

extension IPAddress {
    /// From highest to lowest.
    package var bytes: [UInt8] {
        stride(from: Number.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: rawValue >> Number($0)) }
    }

    /// - Parameter bytes: from highest to lowest; those after the last are left out.
    init(bytes: some Sequence<UInt8>) {
        self.init(rawValue: bytes.prefix(Number.bitWidth / 8).reduce(0) { $0 << 8 | Number($1) })
    }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// The address this many steps further; wraps at the end of the address space.
    package func advanced(by steps: Number) -> Self { Self(rawValue: rawValue &+ steps) }

    package init(from decoder: any Decoder) throws { self = try decodeText(decoder, as: "an \(Self.family.name) address") }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

func decodeText<Value: LosslessStringConvertible>(_ decoder: any Decoder, as what: String) throws -> Value {
    let container = try decoder.singleValueContainer()
    guard let value = Value(try container.decode(String.self)) else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "not \(what)")
    }
    return value
}

/// A decimal number of one to three digits without leading zeros.
func decimal(_ text: Substring) -> UInt32? {
    guard (1...3).contains(text.utf8.count), text == "0" || text.utf8.first != UInt8(ascii: "0"),
        text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return UInt32(text)
}

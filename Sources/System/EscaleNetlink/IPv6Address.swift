import Glibc

/// An IPv6 address. Written in its shortest form, `fd00::5`; read in any, but without brackets and zones.
package struct IPv6Address: IPAddress {
    package static let family = AddressFamily.v6
    package let rawValue: UInt128

    package init(rawValue: UInt128) { self.rawValue = rawValue }

    package init?(_ text: String) {
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        self.init(bytes: withUnsafeBytes(of: &address) { Array($0) })
    }

    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard bytes.withUnsafeBytes({ inet_ntop(AF_INET6, $0.baseAddress, &text, socklen_t(text.count)) }) != nil else {
            return "::"  // the only failures are those of a wrong family and of a buffer that is too small
        }
        return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "::" }
    }
}

/// A block of IPv6 addresses: `fd00::/64`.
package typealias IPv6Subnet = IPSubnet<IPv6Address>

import Glibc

/// Numeric host addresses.
enum HostAddress {
    enum Family { case v4, v6 }

    /// Whether the text is an IPv4 or IPv6 address; names are none.
    static func isValid(_ text: String) -> Bool { bytes(of: text) != nil }

    static func family(of text: String) -> Family? { bytes(of: text).map { $0.count == 4 ? .v4 : .v6 } }

    /// Whether both are the same address, however it is written.
    static func isSame(_ left: String, _ right: String) -> Bool { bytes(of: left).map { $0 == bytes(of: right) } ?? false }

    /// Whether it is an address by which everybody reaches themselves.
    static func isLoopback(_ text: String) -> Bool {
        guard let bytes = bytes(of: text) else { return false }
        return bytes.count == 4 ? bytes[0] == 127 : bytes == Array(repeating: 0, count: 15) + [1]
    }

    /// The 4 or 16 bytes of the address, the highest first.
    static func bytes(of text: String) -> [UInt8]? {
        var storage = in6_addr()
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] where inet_pton(family, text, &storage) == 1 {
            return withUnsafeBytes(of: &storage) { Array($0.prefix(count)) }
        }
        return nil
    }

    /// Whether listening on both at once can't work: equal, or one of them stands for all of the other's kind.
    static func overlap(_ left: String?, _ right: String?) -> Bool {
        guard let left = left.map({ bytes(of: $0) ?? [] }), let right = right.map({ bytes(of: $0) ?? [] })
        else {
            return true
        }
        let meansAll = [left, right].contains { $0.allSatisfy { $0 == 0 } }
        return left == right || (meansAll && left.count == right.count)
    }
}

import Glibc

/// Numeric host addresses.
enum HostAddress {
    /// Whether the text is an IPv4 or IPv6 address; names are none.
    static func isValid(_ text: String) -> Bool {
        var storage = in6_addr()
        return inet_pton(AF_INET, text, &storage) == 1 || inet_pton(AF_INET6, text, &storage) == 1
    }

    /// Whether listening on both at once can't work: equal, or one of them stands for all.
    static func overlap(_ left: String?, _ right: String?) -> Bool {
        let all: Set<String> = ["0.0.0.0", "::"]
        guard let left, let right, !all.contains(left), !all.contains(right) else { return true }
        return left == right
    }
}

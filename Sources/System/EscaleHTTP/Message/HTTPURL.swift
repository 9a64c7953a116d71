/// An `http` or `https` URL (RFC 3986), as far as a client needs it. User information and fragments are not kept.
package struct HTTPURL: Hashable, Sendable, CustomStringConvertible {
    package let isSecure: Bool
    /// Without brackets where it is an IPv6 address.
    package let host: String
    package let port: UInt16
    /// Path and query as they are on the wire, from `/`.
    package let target: String

    package init(isSecure: Bool, host: String, port: UInt16, target: String) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.target = target
    }

    /// `nil` for what is no absolute URL of these kinds.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].hasPrefix("//") else { return nil }
        switch parts[0].lowercased() {
        case "http": isSecure = false
        case "https": isSecure = true
        default: return nil
        }
        let rest = parts[1].dropFirst(2).prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let after = rest[authority.endIndex...]
        target = after.hasPrefix("/") ? String(after) : "/" + after
        let place = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        guard let (host, port) = Self.hostAndPort(place), !host.isEmpty,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        self.host = host
        self.port = port ?? (isSecure ? 443 : 80)
    }

    /// `name`, `name:5000`, `[::1]:5000`; the port is `nil` where there is none.
    package static func hostAndPort(_ text: some StringProtocol) -> (host: String, port: UInt16?)? {
        var rest = Substring(text)
        var host: Substring
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
            host = rest[rest.index(after: rest.startIndex)..<end]
            rest = rest[rest.index(after: end)...]
        } else {
            host = rest.prefix { $0 != ":" }
            rest = rest[host.endIndex...]
        }
        if rest.isEmpty { return (String(host), nil) }
        guard rest.first == ":", let port = UInt16(rest.dropFirst()), port > 0 else { return nil }
        return (String(host), port)
    }

    /// What a `Location` means here: a URL of its own, or a path on this server.
    package func resolving(_ location: String) -> HTTPURL? {
        if location.contains("://") { return HTTPURL(location) }
        if location.hasPrefix("//") { return HTTPURL((isSecure ? "https:" : "http:") + location) }
        guard location.hasPrefix("/"), location.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return nil
        }
        return HTTPURL(isSecure: isSecure, host: host, port: port, target: location)
    }

    /// Whether both are the same server.
    package func sharesOrigin(with other: HTTPURL) -> Bool {
        isSecure == other.isSecure && host.lowercased() == other.host.lowercased() && port == other.port
    }

    package var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "\(isSecure ? "https" : "http")://\(name):\(port)\(target)"
    }
}

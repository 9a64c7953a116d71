/// A proxy that a client reaches its server through.
package struct HTTPProxy: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case http, https
        /// The proxy looks names up.
        case socks5
    }

    package let kind: Kind
    /// Without brackets where it is an IPv6 address.
    package let host: String
    package let port: UInt16
    /// `name:password`, percent-encoded; in no description.
    private let user: String?

    /// `nil` for what is no URL of these kinds. A port that is missing is 80, 443 or 1080.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].hasPrefix("//"), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let scheme = parts[0].lowercased()
        guard let kind = Kind(rawValue: scheme == "socks5h" ? "socks5" : scheme) else { return nil }
        let authority = parts[1].dropFirst(2).prefix { !"/?#".contains($0) }
        let at = authority.lastIndex(of: "@")
        let place = at.map { authority[authority.index(after: $0)...] } ?? authority
        guard let (host, port) = HTTPURL.hostAndPort(place), !host.isEmpty else { return nil }
        self.kind = kind
        self.host = host
        self.port = port ?? (kind == .http ? 80 : kind == .https ? 443 : 1080)
        user = at.map { String(authority[..<$0]) }
    }

    package var description: String { "\(kind.rawValue)://\(place)" }

    private var place: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// As libcurl takes it.
    var text: String { "\(kind == .socks5 ? "socks5h" : kind.rawValue)://\(user.map { "\($0)@" } ?? "")\(place)" }
}

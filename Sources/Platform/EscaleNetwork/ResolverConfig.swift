package import EscaleNetlink

/// How the dnsmasq process of one set of networks is configured; a value, so that a running one can be compared.
package struct ResolverConfig: Hashable, Sendable {
    package var address: IPv4Address
    /// One per network of the set, with the file of its records in it.
    package var recordDirectories: [String]
    /// Whose reverse names are never asked for outside.
    package var territory: [IPv4Subnet]
    /// `nil` for sets of internal networks only, which learn nothing of outside names.
    package var upstreamFile: String?
    package var user: String
    package var pidFile: String

    package init(
        address: IPv4Address, recordDirectories: [String], territory: [IPv4Subnet], upstreamFile: String?,
        user: String, pidFile: String
    ) {
        self.address = address
        self.recordDirectories = recordDirectories
        self.territory = territory
        self.upstreamFile = upstreamFile
        self.user = user
        self.pidFile = pidFile
    }

    /// The configuration file's text.
    package var text: String {
        var lines = [
            "port=53", "bind-interfaces", "listen-address=\(address)", "user=\(user)", "pid-file=\(pidFile)",
            "no-hosts", "local-ttl=1", "cache-size=1000", "domain-needed", "local=//",
        ]
        lines += recordDirectories.sorted().map { "hostsdir=\($0)" }
        lines += territory.flatMap(Self.reverseZones).map { "local=/\($0)/" }
        if let upstreamFile {
            lines.append("resolv-file=\(upstreamFile)")
        } else {
            lines += ["no-resolv", "local=/#/"]
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// The `in-addr.arpa` zones that cover the subnet, and no more than it.
    static func reverseZones(of subnet: IPv4Subnet) -> [String] {
        let bytes = (subnet.prefixLength + 7) / 8
        let count = 1 << (bytes * 8 - subnet.prefixLength)
        return (0..<count).map { index in
            let first = subnet.address.advanced(by: bytes == 0 ? 0 : UInt32(index) << UInt32(32 - bytes * 8))
            return (first.bytes.prefix(bytes).reversed().map(String.init) + ["in-addr.arpa"]).joined(separator: ".")
        }
    }
}

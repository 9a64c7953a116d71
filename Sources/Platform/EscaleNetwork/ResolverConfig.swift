package import EscaleNetlink

/// How the dnsmasq process of one set of networks is configured; a value, so that a running one can be compared.
package struct ResolverConfig: Hashable, Sendable {
    package var address: IPv4Address
    /// One per network of the set, with the file of its records in it.
    package var recordDirectories: [String]
    /// Whose reverse names are never asked for outside.
    package var territory: [IPv4Subnet]
    package var territory6: [IPv6Subnet]
    package var upstream: Upstream
    package var user: String
    package var pidFile: String
    /// Read again at SIGHUP; see ``localNames(_:)``.
    package var localNamesFile: String

    /// Who knows names outside.
    package enum Upstream: Hashable, Sendable {
        /// Nobody: for containers on internal networks only.
        case none
        /// The servers in a file like `/etc/resolv.conf`, which may change.
        case file(String)
        case servers([String])
    }

    package init(
        address: IPv4Address, recordDirectories: [String], territory: [IPv4Subnet], territory6: [IPv6Subnet] = [],
        upstream: Upstream, user: String, pidFile: String, localNamesFile: String
    ) {
        self.address = address
        self.recordDirectories = recordDirectories
        self.territory = territory
        self.territory6 = territory6
        self.upstream = upstream
        self.user = user
        self.pidFile = pidFile
        self.localNamesFile = localNamesFile
    }

    /// The configuration file's text.
    package var text: String {
        var lines = [
            "port=53", "bind-interfaces", "listen-address=\(address)", "user=\(user)", "pid-file=\(pidFile)",
            "no-hosts", "local-ttl=1", "cache-size=1000", "domain-needed", "local=//",
        ]
        lines += recordDirectories.sorted().map { "hostsdir=\($0)" }
        lines += (territory.flatMap(Self.reverseZones) + territory6.flatMap(Self.reverseZones)).map { "local=/\($0)/" }
        switch upstream {
        case .none: lines += ["no-resolv", "local=/#/"]
        case .file(let path): lines += ["resolv-file=\(path)", "servers-file=\(localNamesFile)"]
        case .servers(let servers):
            lines += ["no-resolv", "servers-file=\(localNamesFile)"] + servers.map { "server=\($0)" }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// Keeps these names, and not those below them, from being asked for outside, where they are something else.
    ///
    /// Without it a look-up of such a name's IPv6 address would go there, and be answered "no such name".
    package static func localNames(_ names: [String]) -> String {
        names.map { "server=/\($0)/\nserver=/*.\($0)/#\n" }.joined()
    }

    /// The zones below `in-addr.arpa` or `ip6.arpa` that cover the subnet, and no more than it.
    static func reverseZones<Address: IPAddress>(of subnet: IPSubnet<Address>) -> [String] {
        // Each part of such a name stands for so many bits.
        let (step, radix, parent) = Address.family == .v4 ? (8, 10, "in-addr.arpa") : (4, 16, "ip6.arpa")
        let parts = (subnet.prefixLength + step - 1) / step
        let rest = Address.Number.bitWidth - parts * step
        return (0..<1 << (parts * step - subnet.prefixLength)).map { index in
            let number = subnet.address.rawValue >> Address.Number(rest) + Address.Number(index)
            let names = (0..<parts).map { String((number >> Address.Number($0 * step)) & (1 << Address.Number(step) - 1), radix: radix) }
            return (names + [parent]).joined(separator: ".")
        }
    }
}

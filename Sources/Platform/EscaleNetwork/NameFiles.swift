package import EscaleCore
package import EscaleNetlink

/// The texts that make names known: to the resolvers, and inside a container.
package enum NameFiles {
    /// The records of one network, a line an address, as dnsmasq reads them.
    ///
    /// Names that are no names (blanks, no characters at all) are left out rather than spoiling the others.
    package static func records(of network: NetworkName, in state: NetworkState) -> String {
        let services = state.services.filter { $0.network == network }
        let endpoints = state.endpoints.flatMap(\.addresses).filter { $0.network == network }
        let outside = state.outside.filter { $0.network == network }
        // Nobody on a network without IPv6 gets to such an address.
        let outside6 = state.networks.contains { $0.name == network && $0.ipv6 != nil } ? outside : []
        return lines(
            services.flatMap { service in service.answers.map { ($0, service.names) } } + endpoints.map { ($0.address, $0.names) }
                + outside.flatMap { service in service.answer.ipv4.map { ($0, service.names) } })
            + lines(
                services.flatMap { service in service.answers6.map { ($0, service.names) } }
                    + endpoints.compactMap { endpoint in endpoint.ipv6.map { ($0, endpoint.names) } }
                    + outside6.flatMap { service in service.answer.ipv6.map { ($0, service.names) } })
    }

    /// dnsmasq takes one line for an address.
    private static func lines<Address: IPAddress>(_ entries: [(Address, [String])]) -> String {
        Dictionary(entries, uniquingKeysWith: +).sorted { $0.key < $1.key }.map { line($0.key, $0.value) }.joined()
    }

    /// The names with dots in them that the networks know, so that nothing about them is asked outside.
    package static func fullNames(of networks: Set<NetworkName>, in state: NetworkState) -> [String] {
        let services = state.services.filter { networks.contains($0.network) }.flatMap(\.names)
        let endpoints = state.endpoints.flatMap(\.addresses).filter { networks.contains($0.network) }.flatMap(\.names)
        let outside = state.outside.filter { networks.contains($0.network) }.flatMap(\.names)
        return Set((services + endpoints + outside).filter { $0.contains(".") && isName($0) && !$0.contains("/") }).sorted()
    }

    /// A container's `/etc/hosts`: the usual entries, its own names, then `extra_hosts` as they are given.
    package static func hosts(
        hostname: String, address: IPv4Address?, ipv6: IPv6Address? = nil, extra: [(name: String, address: String)] = []
    ) -> String {
        var text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        for entry in extra { text += "\(entry.address)\t\(entry.name)\n" }
        // The short form of a full name is a name too, as `hostname -s` says.
        let short = hostname.split(separator: ".").first.map(String.init) ?? hostname
        let names = short == hostname ? hostname : "\(hostname) \(short)"
        text += "\(address?.description ?? "127.0.1.1")\t\(names)\n"
        if let ipv6 { text += "\(ipv6)\t\(names)\n" }
        return text
    }

    /// A container's `/etc/resolv.conf`.
    ///
    /// - Parameter search: where the file says nothing, nothing is searched, so that names of the host's domain
    ///   never win over those of services.
    package static func resolvConf(
        servers: [String], search: [String] = [], options: [String] = []
    ) -> String {
        var text = servers.map { "nameserver \($0)\n" }.joined()
        if !search.isEmpty { text += "search \(search.joined(separator: " "))\n" }
        let options = options.contains { $0.hasPrefix("ndots:") } ? options : options + ["ndots:0"]
        return text + "options \(options.joined(separator: " "))\n"
    }

    private static func line(_ address: some IPAddress, _ names: [String]) -> String {
        let good = names.filter(isName)
        return good.isEmpty ? "" : "\(address) \(good.joined(separator: " "))\n"
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count < 254
            && name.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "#") }
    }
}

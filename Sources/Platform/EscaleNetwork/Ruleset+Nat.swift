import EscaleNetlink

/// Where connections really go: service addresses and published ports, each found with one look-up.
extension Ruleset {
    var natMaps: [PacketTable.Elements] {
        let open = ports.filter { !Self.share($0.backends).isEmpty }
        let closed = ports.filter { Self.share($0.backends).isEmpty }
        let services = state.services.filter { !Self.share($0.backends).isEmpty }
            .map { "\($0.address) : goto \(Self.chainName($0))" }
        return [
            .map("services", "ipv4_addr", services),
            .map(
                "ports_at", "ipv4_addr . inet_proto . inet_service",
                open.compactMap { port in
                    port.hostAddress.map { "\($0) . \(Self.key(port)) : goto \(Self.chainName(port))" }
                }),
            .map(
                "ports", "inet_proto . inet_service",
                open.filter { $0.hostAddress == nil }.map { "\(Self.key($0)) : goto \(Self.chainName($0))" }),
            .set(
                "closed_at", "ipv4_addr . inet_proto . inet_service",
                closed.compactMap { port in port.hostAddress.map { "\($0) . \(Self.key(port))" } }),
            .set(
                "closed", "inet_proto . inet_service", closed.filter { $0.hostAddress == nil }.map(Self.key)),
        ]
    }

    var natChains: [PacketTable.Chain] {
        let services = state.services.map { service in
            PacketTable.Chain(
                name: Self.chainName(service), rules: Self.targets(Self.share(service.backends)).map { "dnat to \($0)" })
        }
        let published = ports.map { port in
            PacketTable.Chain(
                name: Self.chainName(port),
                rules: Self.targets(Self.share(port.backends)).map {
                    "meta l4proto \(port.transport.rawValue) dnat ip to \($0)"
                })
        }
        let targeted = (services + published).filter { !$0.rules.isEmpty }.sorted { $0.name < $1.name }
        let destinations = [
            "ip daddr vmap @services",
            "ip daddr . meta l4proto . th dport vmap @ports_at",
            "ip daddr @host meta l4proto . th dport vmap @ports",
            "ip daddr @unpublished return",
            "fib daddr type local meta l4proto . th dport vmap @ports",
        ]
        let sources = [
            // A container that calls itself by its service's name must not see its own address as the caller's.
            "ip saddr . ip daddr @same_container snat to \(instance.hostAddress)",
            "oifname \(containers) ip saddr 127.0.0.0/8 snat to \(instance.hostAddress)",
            "oifname != \(containers) ip saddr @outgoing ip daddr != @ours masquerade",
        ]
        return targeted + [
            PacketTable.Chain(name: "destinations", rules: destinations),
            PacketTable.Chain(
                name: "destinations_arriving", hook: "nat hook prerouting priority dstnat", rules: ["jump destinations"]),
            PacketTable.Chain(
                name: "destinations_own", hook: "nat hook output priority -100", rules: ["jump destinations"]),
            PacketTable.Chain(name: "senders", hook: "nat hook postrouting priority srcnat", rules: sources),
        ]
    }

    /// One entry per port of the host, the backends of those that name the same one together.
    private var ports: [PublishedPort] {
        var merged: [PublishedPort] = []
        var places: [String: Int] = [:]
        for port in state.ports {
            if let place = places[Self.chainName(port)] {
                merged[place].backends += port.backends
            } else {
                places[Self.chainName(port)] = merged.count
                merged.append(port)
            }
        }
        return merged
    }

    /// What may be chosen, and with which weight: no zeros, and no common divisor.
    private static func share(_ backends: [ServiceBackend]) -> [(target: String, weight: Int)] {
        reduced(backends.map { ("\($0.address)", $0.weight) })
    }

    private static func share(_ backends: [PublishedPort.Backend]) -> [(target: String, weight: Int)] {
        reduced(backends.map { ("\($0.address) . \($0.port)", $0.weight) })
    }

    private static func reduced(_ shares: [(target: String, weight: Int)]) -> [(target: String, weight: Int)] {
        let live = shares.filter { $0.weight > 0 }.sorted { $0.target < $1.target }
        let divisor = live.reduce(0) { greatestCommonDivisor($0, $1.weight) }
        return live.map { ($0.target, $0.weight / max(divisor, 1)) }
    }

    /// The expressions after `dnat to`, each for what the former let pass; none without targets.
    ///
    /// Of several targets one is looked up in a map, where a packet that came before the rules changed may find nothing
    /// any more: then it goes to the first.
    private static func targets(_ shares: [(target: String, weight: Int)]) -> [String] {
        guard let first = shares.first else { return [] }
        let last = first.target.split(separator: " . ").joined(separator: ":")
        if shares.count == 1 { return [last] }
        var next = 0
        let entries = shares.map { share in
            defer { next += share.weight }
            return share.weight == 1
                ? "\(next) : \(share.target)" : "\(next)-\(next + share.weight - 1) : \(share.target)"
        }
        return ["numgen random mod \(next) map { \(entries.joined(separator: ", ")) }", last]
    }

    private static func greatestCommonDivisor(_ left: Int, _ right: Int) -> Int {
        right == 0 ? left : greatestCommonDivisor(right, left % right)
    }

    private static func key(_ port: PublishedPort) -> String { "\(port.transport.rawValue) . \(port.hostPort)" }
    private static func chainName(_ service: VirtualService) -> String { "service-\(service.address)" }
    private static func chainName(_ port: PublishedPort) -> String {
        "port-" + (port.hostAddress.map { "\($0)-" } ?? "") + "\(port.transport.rawValue)-\(port.hostPort)"
    }
}

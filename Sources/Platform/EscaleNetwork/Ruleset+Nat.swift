import EscaleNetlink

/// Where connections really go: service addresses and published ports, each found with one look-up.
extension Ruleset {
    var natMaps: [String] {
        let open = ports.filter { !Self.share($0.backends).isEmpty }
        let closed = ports.filter { Self.share($0.backends).isEmpty }
        let services = state.services.filter { !Self.share($0.backends).isEmpty }
            .map { "\($0.address) : goto \(Self.chainName($0))" }
        return [
            Self.map("services", "ipv4_addr", services),
            Self.map(
                "ports_at", "ipv4_addr . inet_proto . inet_service",
                open.compactMap { port in
                    port.hostAddress.map { "\($0) . \(Self.key(port)) : goto \(Self.chainName(port))" }
                }),
            Self.map(
                "ports", "inet_proto . inet_service",
                open.filter { $0.hostAddress == nil }.map { "\(Self.key($0)) : goto \(Self.chainName($0))" }),
            Self.set(
                "closed_at", "ipv4_addr . inet_proto . inet_service",
                closed.compactMap { port in port.hostAddress.map { "\($0) . \(Self.key(port))" } }),
            Self.set(
                "closed", "inet_proto . inet_service", closed.filter { $0.hostAddress == nil }.map(Self.key)),
        ]
    }

    var natChains: [String] {
        let services = state.services.compactMap { service in
            Self.target(Self.share(service.backends)).map { Self.chain(Self.chainName(service), ["dnat to \($0)"]) }
        }
        let published = ports.compactMap { port in
            Self.target(Self.share(port.backends)).map {
                Self.chain(Self.chainName(port), ["meta l4proto \(port.transport.rawValue) dnat ip to \($0)"])
            }
        }
        let destinations = [
            "ip daddr vmap @services",
            "ip daddr . meta l4proto . th dport vmap @ports_at",
            "ip daddr @unpublished return",
            "fib daddr type local meta l4proto . th dport vmap @ports",
        ]
        let sources = [
            // A container that calls itself by its service's name must not see its own address as the caller's.
            "ip saddr . ip daddr @same_container snat to \(instance.hostAddress)",
            "oifname \(containers) ip saddr 127.0.0.0/8 snat to \(instance.hostAddress)",
            "oifname != \(containers) ip saddr @outgoing ip daddr != @ours masquerade",
        ]
        return services.sorted() + published.sorted() + [
            Self.chain("destinations", destinations),
            Self.chain("destinations_arriving", hook: "nat hook prerouting priority dstnat", ["jump destinations"]),
            Self.chain("destinations_own", hook: "nat hook output priority -100", ["jump destinations"]),
            Self.chain("senders", hook: "nat hook postrouting priority srcnat", sources),
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

    /// The expression after `dnat to`; `nil` without targets.
    private static func target(_ shares: [(target: String, weight: Int)]) -> String? {
        guard let only = shares.first else { return nil }
        if shares.count == 1 { return only.target.split(separator: " . ").joined(separator: ":") }
        var next = 0
        let entries = shares.map { share in
            defer { next += share.weight }
            return share.weight == 1
                ? "\(next) : \(share.target)" : "\(next)-\(next + share.weight - 1) : \(share.target)"
        }
        return "numgen random mod \(next) map { \(entries.joined(separator: ", ")) }"
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

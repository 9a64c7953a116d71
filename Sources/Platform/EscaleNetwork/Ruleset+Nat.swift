import EscaleNetlink

/// Where connections really go: service addresses and published ports, each found with one look-up.
extension FamilyRules {
    var natMaps: [PacketTable.Elements] {
        let open = ports.filter { !$0.targets.isEmpty }
        let closed = ports.filter { $0.targets.isEmpty }
        let services = services.filter { !$0.targets.isEmpty }.map { "\($0.address) : goto \($0.chain)" }
        return [
            .map("services", addressType, services),
            .map(
                "ports_at", "\(addressType) . inet_proto . inet_service",
                open.compactMap { port in port.hostAddress.map { "\($0) . \(port.key) : goto \(port.chain)" } }),
            .map(
                "ports", "inet_proto . inet_service",
                open.filter { $0.hostAddress == nil }.map { "\($0.key) : goto \($0.chain)" }),
            .set(
                "closed_at", "\(addressType) . inet_proto . inet_service",
                closed.compactMap { port in port.hostAddress.map { "\($0) . \(port.key)" } }),
            .set("closed", "inet_proto . inet_service", closed.filter { $0.hostAddress == nil }.map(\.key)),
        ]
    }

    var natChains: [PacketTable.Chain] {
        let services = services.map { service in
            PacketTable.Chain(name: service.chain, rules: service.targets.map { "dnat to \($0)" })
        }
        let published = ports.map { port in
            PacketTable.Chain(
                name: port.chain, rules: port.targets.map { "meta l4proto \(port.transport.rawValue) dnat \(ip) to \($0)" })
        }
        let targeted = (services + published).filter { !$0.rules.isEmpty }.sorted { $0.name < $1.name }
        let destinations = [
            "\(ip) daddr vmap @services",
            "\(ip) daddr . meta l4proto . th dport vmap @ports_at",
            "\(ip) daddr @host meta l4proto . th dport vmap @ports",
            "\(ip) daddr @unpublished return",
            "fib daddr type local meta l4proto . th dport vmap @ports",
        ]
        let sources = [
            // A container that calls itself by its service's name must not see its own address as the caller's.
            "\(ip) saddr . \(ip) daddr @same_container snat to \(hostAddress)",
            "oifname \(containers) \(ip) saddr \(loopback) snat to \(hostAddress)",
            "oifname != \(containers) \(ip) saddr @outgoing \(ip) daddr != @ours masquerade",
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
}

extension FamilyRules.Service {
    var chain: String { "service-\(Shares.name(address))" }

    /// As ``Shares/targets``.
    var targets: [String] { Shares(backends.map { ("\($0.address)", "\($0.address)", $0.weight) }).targets }
}

extension FamilyRules.Port {
    /// As a part of a set's or map's element.
    var key: String { "\(transport.rawValue) . \(number)" }

    var chain: String {
        "port-" + (hostAddress.map { "\(Shares.name($0))-" } ?? "") + "\(transport.rawValue)-\(number)"
    }

    /// As ``Shares/targets``.
    var targets: [String] {
        Shares(
            backends.map { backend in
                let address = Address.family == .v4 ? "\(backend.address)" : "[\(backend.address)]"
                return ("\(backend.address) . \(backend.port)", "\(address):\(backend.port)", backend.weight)
            }
        ).targets
    }
}

/// Who takes which share of new connections, as rules say it.
struct Shares {
    /// As an element of a map, and as it is written alone.
    private let all: [(element: String, target: String, weight: Int)]

    /// What may be chosen, and with which weight: no zeros, and no common divisor.
    init(_ shares: [(element: String, target: String, weight: Int)]) {
        let live = shares.filter { $0.weight > 0 }.sorted { $0.element < $1.element }
        let divisor = live.reduce(0) { Self.greatestCommonDivisor($0, $1.weight) }
        all = live.map { ($0.element, $0.target, $0.weight / max(divisor, 1)) }
    }

    /// The expressions after `dnat to`, each for what the former let pass; none without targets.
    ///
    /// Of several targets one is looked up in a map, where a packet that came before the rules changed may find nothing
    /// any more: then it goes to the first.
    var targets: [String] {
        guard let first = all.first else { return [] }
        if all.count == 1 { return [first.target] }
        var next = 0
        let entries = all.map { share in
            defer { next += share.weight }
            return share.weight == 1
                ? "\(next) : \(share.element)" : "\(next)-\(next + share.weight - 1) : \(share.element)"
        }
        return ["numgen random mod \(next) map { \(entries.joined(separator: ", ")) }", first.target]
    }

    /// The address as a part of a chain's name, which can't have colons.
    static func name(_ address: some IPAddress) -> String { String(address.description.map { $0 == ":" ? "-" : $0 }) }

    private static func greatestCommonDivisor(_ left: Int, _ right: Int) -> Int {
        right == 0 ? left : greatestCommonDivisor(right, left % right)
    }
}

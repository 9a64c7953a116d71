import EscaleNetlink

/// Who may talk to whom.
extension FamilyRules {
    var hookChains: [PacketTable.Chain] {
        [
            PacketTable.Chain(
                name: "refuse",
                rules: ["meta l4proto tcp reject with tcp reset", "reject with \(Address.family == .v4 ? "icmp" : "icmpv6") type port-unreachable"]),
            guardChain,
            forwardChain, fromContainer, toContainer,
            inputChain, toHost, closedPorts,
            // The host's own processes reach every container directly.
            PacketTable.Chain(
                name: "own", hook: "filter hook output priority filter", rules: ["\(ip) daddr @unready goto refuse"]),
        ] + (Address.family == .v4 ? [] : [nobodys])
    }

    /// Packets to addresses of ours that nobody has. The kernel takes IPv6's route to `lo` for one that says "unreachable",
    /// which it does before a packet is forwarded, and to each sender once in a second only.
    private var nobodys: PacketTable.Chain {
        let unknown = "\(ip) daddr != @host fib daddr oif missing"
        return PacketTable.Chain(
            name: "nobodys", hook: "filter hook prerouting priority filter",
            rules: [
                "iifname \(containers) \(ip) saddr . \(ip) daddr @same_network \(unknown) goto refuse",
                "iifname \(containers) \(ip) daddr @ours \(unknown) drop",
            ])
    }

    /// `route_localnet` is on for the containers' interfaces, so 127.0.0.0/8 is guarded here instead of by routing.
    /// The kernel's own check for forged senders, `rp_filter`, is one of IPv4's.
    private var guardChain: PacketTable.Chain {
        PacketTable.Chain(
            name: "guard", hook: "filter hook prerouting priority raw",
            rules: [
                "iifname \"lo\" accept",
                "\(ip) daddr \(loopback) drop",
                "\(ip) saddr \(loopback) drop",
                "iifname != \(containers) \(ip) saddr @ours drop",
            ] + (Address.family == .v4 ? [] : ["iifname \(containers) fib saddr . iif oif missing drop"]))
    }

    private var forwardChain: PacketTable.Chain {
        PacketTable.Chain(
            name: "forwarded", hook: "filter hook forward priority filter",
            rules: [
                "iifname \(containers) goto from_container",
                "oifname \(containers) goto to_container",
                // The route to `lo` is that of addresses in our blocks that nobody has, or has any more.
                "\(ip) daddr @ours ct status dnat ct original \(ip) daddr != @ours goto refuse",
                "\(ip) daddr @ours drop",
            ])
    }

    private var fromContainer: PacketTable.Chain {
        PacketTable.Chain(
            name: "from_container",
            rules: [
                "oifname \"lo\" \(ip) saddr . \(ip) daddr @same_network goto refuse",
                "ct state established,related accept",
                "\(ip) saddr . \(ip) daddr @same_network accept",
                "\(ip) saddr @internal drop",
                "oifname \"lo\" ct status dnat ct original \(ip) daddr != @ours goto refuse",
                "ct status dnat ct original \(ip) daddr != @ours accept",
                "ct status dnat ct original \(ip) daddr @host accept",
                "\(ip) daddr @ours drop",
            ])
    }

    private var toContainer: PacketTable.Chain {
        PacketTable.Chain(
            name: "to_container",
            rules: [
                "ct state established,related accept",
                "ct status dnat ct original \(ip) daddr != @ours accept",
                "drop",
            ])
    }

    private var inputChain: PacketTable.Chain {
        PacketTable.Chain(
            name: "incoming", hook: "filter hook input priority filter",
            rules: [
                "iifname \(containers) goto to_host",
                "iifname != \"lo\" \(ip) daddr @ours drop",
                "ct state new jump closed_ports",
            ])
    }

    /// As with Docker, containers reach what the host offers to everybody, but for those on internal networks.
    private var toHost: PacketTable.Chain {
        PacketTable.Chain(
            name: "to_host",
            rules: [
                "ct state established,related accept",
                "\(ip) saddr . \(ip) daddr @own_resolver meta l4proto { tcp, udp } th dport 53 accept",
                "\(ip) daddr @ours \(ip) daddr != @host drop",
                "\(ip) saddr @internal drop",
                "ct state new jump closed_ports",
            ])
    }

    private var closedPorts: PacketTable.Chain {
        PacketTable.Chain(
            name: "closed_ports",
            rules: [
                "\(ip) daddr . meta l4proto . th dport @closed_at goto refuse",
                "\(ip) daddr @host meta l4proto . th dport @closed goto refuse",
                "\(ip) daddr @unpublished return",
                "fib daddr type local meta l4proto . th dport @closed goto refuse",
            ])
    }
}

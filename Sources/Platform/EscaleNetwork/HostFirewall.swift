/// What the host's other firewall rules do to containers: all of their traffic is forwarded, and a drop in any table wins.
///
/// Pure: it goes by a listing of one table, as `nft list table` writes it.
package struct HostFirewall {
    /// Such as `ip filter`.
    let table: String
    private let listing: String
    private var chains: [(name: Substring, lines: [[Substring]])] = []

    package init(table: String, listing: String) {
        self.table = table
        self.listing = listing
        for line in listing.split(separator: "\n") {
            let words = line.split { " \t".contains($0) }
            if words.first == "chain", words.count > 1 {
                chains.append((words[1], []))
            } else if words.first != "}", !chains.isEmpty {
                chains[chains.count - 1].lines.append(words)
            }
        }
    }

    /// Tells that it lets nothing of the instance's containers pass, and what to do; `nil` where it does.
    package func warning(for instance: NetworkInstance) -> String? {
        let links = instance.interfacePrefix
        // Somebody has thought of them.
        if listing.contains("\"\(links)") || listing.contains("\(instance.pool)") { return nil }
        for chain in chains {
            guard let ending = Self.ending(of: chain.lines) else { continue }
            return "the host's firewall drops what it forwards (table \(table), chain \(chain.name): \(ending)), so that containers "
                + "reach nobody and published ports are closed; let them pass: \(remedy(chain.name, links))"
        }
        return nil
    }

    /// How a chain of what is forwarded ends what no other rule of it decides, where that is a drop.
    private static func ending(of lines: [[Substring]]) -> String? {
        guard let head = lines.first, head.contains("forward"), head.contains("hook") else { return nil }
        var last = lines.dropFirst().last ?? []
        // `counter`, or `counter packets 5 bytes 300`, says nothing about whom the rule is for.
        if last.first == "counter" { last.removeFirst(last.dropFirst().first == "packets" ? min(5, last.count) : 1) }
        switch last.first {
        case "drop", "reject": return "its last rule is \(last[0])"
        case "accept": return nil
        default: return head.joined(separator: " ").contains("policy drop") ? "its policy is drop" : nil
        }
    }

    private func remedy(_ chain: Substring, _ links: String) -> String {
        guard table == "ip filter", chain == "FORWARD" else {
            return ["iifname", "oifname"]
                .map { "`nft insert rule \(table) \(chain) \($0) \"\(links)*\" accept`" }.joined(separator: " and ")
        }
        // What is in Docker's own chain for this stays when Docker makes the others anew.
        let chain = chains.contains { $0.name == "DOCKER-USER" } ? "DOCKER-USER" : "FORWARD"
        return ["-i", "-o"].map { "`iptables -I \(chain) \($0) \(links)+ -j ACCEPT`" }.joined(separator: " and ")
    }
}

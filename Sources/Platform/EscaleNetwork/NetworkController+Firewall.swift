import EscaleCore
import EscaleNetlink
import EscaleSystem

/// Beside the host's own firewall.
extension NetworkController {
    /// Puts the rules back at once when others change or remove them, such as a firewall that is loaded anew; until the task
    /// is cancelled.
    package func guardRules() async throws {
        while true {
            try await watch.change()
            do {
                try await restoreRules()
            } catch {
                // The patrol tries again.
                log.error("the rules can't be put back", ["error": "\(error)"])
            }
            // Two that undo each other's work would do nothing else.
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Why containers can't reach anybody, though all is as it shall be here; `nil` where they can.
    package func firewallWarning() async throws -> String? {
        try await blocking { [tables, instance] in
            for line in try tables.run("list tables").split(separator: "\n") {
                let words = line.split(separator: " ")
                guard words.count == 3, ["ip", "inet"].contains(words[1]), !words[2].hasPrefix("escale") else { continue }
                let table = "\(words[1]) \(words[2])"
                let firewall = HostFirewall(table: table, listing: try tables.run("list table \(table)"))
                if let warning = firewall.warning(for: instance) { return warning }
            }
            return nil
        }
    }
}

import EscaleSystem
import FoundationEssentials
import Glibc
import Testing

/// What the host knows one Escale by, worked out from its pool of addresses.
struct Instance: Sendable {
    /// `10.213.`
    let prefix: String
    let id: String

    init(pool: String) throws {
        let parts = pool.split(separator: ".")
        guard parts.count == 4, let number = Int(parts[1]), number >= 210 else {
            throw Unexpected("\"\(pool)\" is no pool of addresses that the tests know")
        }
        prefix = "10.\(number)."
        id = number == 210 ? "" : String(number - 210, radix: 36)
    }

    var table: String { id.isEmpty ? "escale" : "escale_\(id)" }
    var interfaces: String { "esc\(id)-" }
    var cgroup: String { id.isEmpty ? "escale" : "escale-\(id)" }
}

/// What of an Escale is on the host; nothing, once it is gone.
enum Leftovers {
    /// One line for each thing that is there: processes, mounts, and what `instance` is known by.
    static func find(root: String, _ instance: Instance?) async throws -> [String] {
        var found = HostProcesses.using(root).map { "process \($0.line)" }
        found += lines("/proc/self/mountinfo").filter { $0.contains(root) }.map { "mount \($0)" }
        if let instance, !belongsToAnother(instance, than: root) {
            let seen = try await onHost(instance)
            // A slot that was given back may have a new owner meanwhile, and these are its things.
            if !belongsToAnother(instance, than: root) { found += seen }
        }
        if owners().values.contains(root) { found.append("slot of \(root) in the register") }
        return found
    }

    /// Which root has which slot of the host's.
    private static func owners() -> [String: String] {
        struct Register: Decodable { let roots: [String: String] }
        guard let bytes = try? Files.read("/run/escale-slots/register.json") else { return [:] }
        return (try? JSONDecoder().decode(Register.self, from: Data(bytes)))?.roots ?? [:]
    }

    private static func belongsToAnother(_ instance: Instance, than root: String) -> Bool {
        let slot = instance.id.isEmpty ? "0" : String(Int(instance.id, radix: 36) ?? 0)
        return owners()[slot].map { $0 != root } ?? false
    }

    /// Rules, addresses, routes, links and control groups.
    static func onHost(_ instance: Instance) async throws -> [String] {
        var found: [String] = []
        let tables = try await run("nft", "list", "tables").ok().output
        found += tables.split(separator: "\n").filter { $0.hasSuffix(" \(instance.table)") }.map(String.init)
        let network = [["-4", "addr"], ["-4", "route", "show", "table", "all"], ["link"]]
        for words in network {
            let text = try await run(["ip"] + words).ok().output
            found += text.split(separator: "\n")
                .filter { $0.contains(" \(instance.prefix)") || $0.contains(" \(instance.interfaces)") }
                .map { "ip \(words.joined(separator: " ")): \($0)" }
        }
        return found + cgroups(instance).map { "control group \($0)" }
    }

    /// The instance's control groups, and those in them.
    static func cgroups(_ instance: Instance) -> [String] {
        let hierarchies = ((try? Files.list("/sys/fs/cgroup")) ?? []).map { "/sys/fs/cgroup/\($0)" }
        let parents = (hierarchies + ["/sys/fs/cgroup"]).map { "\($0)/\(instance.cgroup)" }.filter(
            Files.isDirectory
        )
        return parents.flatMap { parent in
            [parent] + ((try? Files.list(parent)) ?? []).map { "\(parent)/\($0)" }.filter(Files.isDirectory)
        }
    }

    /// So that a failed test doesn't disturb others.
    static func removeByForce(root: String, _ instance: Instance?) async throws {
        for process in HostProcesses.using(root) { ProcessHandle(process.identity)?.signal(SIGKILL) }
        guard let instance, !belongsToAnother(instance, than: root) else { return }
        _ = try await run("nft", "delete", "table", "inet", instance.table)
        _ = try await run("nft", "delete", "table", "ip", instance.table)
        for group in cgroups(instance).reversed() { rmdir(group) }
    }

    private static func lines(_ path: String) -> [String] {
        ((try? Files.readText(path)) ?? "").split(separator: "\n").map(String.init)
    }
}

import EscaleCore
import EscaleSystem
import Glibc

/// One control group under every hierarchy of the host, or, with cgroup v2, the one.
///
/// The OCI runtime makes and removes the leaf; this type is for what it left behind.
struct Cgroup: Sendable {
    /// Below the hierarchies' roots, such as `/escale/<id>`.
    let path: String
    let layout: HostFacts.CgroupLayout

    private var directories: [String] {
        switch layout {
        case .v2: return ["/sys/fs/cgroup\(path)"]
        case .v1, .hybrid:
            let controllers = (try? Files.list("/sys/fs/cgroup")) ?? []
            return controllers.map { "/sys/fs/cgroup/\($0)\(path)" }.filter(Files.exists)
        }
    }

    /// The processes in it now.
    var processes: Set<Int32> {
        var all = Set<Int32>()
        for directory in directories {
            guard let text = try? Files.readText("\(directory)/cgroup.procs") else { continue }
            all.formUnion(text.split(separator: "\n").compactMap { Int32($0) })
        }
        return all
    }

    /// The groups directly below it, by name.
    var children: Set<String> {
        var names = Set<String>()
        for directory in directories {
            names.formUnion(((try? Files.list(directory)) ?? []).filter { Files.isDirectory("\(directory)/\($0)") })
        }
        return names
    }

    /// What its processes use of memory, caches among it; `nil` where nobody counts.
    var memoryUsage: ByteCount? {
        for directory in directories {
            for name in ["memory.current", "memory.usage_in_bytes"] {
                // A hierarchy that doesn't count memory has no such file.
                guard let text = try? Files.readText("\(directory)/\(name)") else { continue }
                return Int64(text.prefix { $0.isNumber }).map { ByteCount($0) }
            }
        }
        return nil
    }

    /// Whether the kernel killed one of its processes for want of memory.
    var ranOutOfMemory: Bool {
        directories.contains { directory in
            ["memory.events", "memory.oom_control"].contains { name in
                // A hierarchy that doesn't count memory has no such file.
                guard let text = try? Files.readText("\(directory)/\(name)") else { return false }
                let line = text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
                return (line.flatMap { Int($0.dropFirst(9)) } ?? 0) > 0
            }
        }
    }

    /// Whether somebody froze it, by whichever hierarchy does that here; `nil` where none tells.
    var isFrozen: Bool? { Self.isFrozen(directories) }

    /// By what was asked of the group itself: one above it may be frozen, too, and only there go on again.
    static func isFrozen(_ directories: [String]) -> Bool? {
        let states = directories.flatMap { directory in
            // One hierarchy at most has such a file: v2's, or the freezer's.
            ["cgroup.freeze", "freezer.self_freezing"].compactMap { try? Files.readText("\(directory)/\($0)") }
        }
        return states.isEmpty ? nil : states.contains { $0.hasPrefix("1") }
    }

    /// Kills what is in it until nothing is, for a second at most. Blocks.
    func endProcesses() {
        for _ in 0..<200 {
            let rest = processes
            if rest.isEmpty { return }
            for pid in rest { kill(pid, SIGKILL) }
            usleep(5000)
        }
    }

    /// Kills what is in it until nothing is, for a second at most, and removes it. Blocks.
    func clear() {
        endProcesses()
        for name in children { Cgroup(path: "\(path)/\(name)", layout: layout).clear() }
        removeIfEmpty()
    }

    /// Removes it where nothing is in it; one in use is left to whoever uses it.
    func removeIfEmpty() {
        for directory in directories { rmdir(directory) }
    }
}

import EscaleSystem

/// The processes of this host, seen in `/proc`.
enum HostProcesses {
    struct Process: Sendable {
        let identity: ProcessIdentity
        let arguments: [String]
        var line: String { "\(identity.pid) \(arguments.joined(separator: " "))" }
    }

    static func all() -> [Process] {
        ((try? Files.list("/proc")) ?? []).compactMap(Int32.init).compactMap { pid in
            // Processes end while one looks.
            guard let identity = ProcessIdentity(pid: pid),
                let bytes = try? Files.read("/proc/\(pid)/cmdline")
            else {
                return nil
            }
            return Process(
                identity: identity,
                arguments: bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            )
        }
    }

    /// Those that have the path among their arguments or their mounts: daemons, their helpers, and containers.
    static func using(_ path: String) -> [Process] {
        all().filter { process in
            process.arguments.contains { $0.contains(path) }
                || mounts(of: process).contains { $0.contains(path) }
        }
    }

    /// Without what is mounted at a test's root itself: every container that is made meanwhile inherits that from the host.
    private static func mounts(of process: Process) -> [Substring] {
        ((try? Files.readText("/proc/\(process.identity.pid)/mountinfo")) ?? "").split(separator: "\n").filter { line in
            let place = line.split(separator: " ").dropFirst(4).first ?? ""
            return !(place.hasPrefix("/tmp/e2e-") && line.contains(" - tmpfs "))
        }
    }
}

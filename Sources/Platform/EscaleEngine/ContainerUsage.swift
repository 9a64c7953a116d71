package import EscaleCore
import EscaleSystem

/// What a container uses, as the kernel counts it since its start.
package struct ContainerUsage: Hashable, Sendable {
    /// Processor time, all cores together.
    package var cpu = Duration.zero
    /// Without what the kernel could drop at once, as Docker counts it.
    package var memory = ByteCount(0)
    /// `nil` for no limit of its own.
    package var memoryLimit: ByteCount?
    package var read = ByteCount(0)
    package var written = ByteCount(0)
    package var processes = 0
    package var received = ByteCount(0)
    package var sent = ByteCount(0)

    package init() {}
}

/// Reads the counters out of the kernel's files; pure, so that recorded files of either layout can be read anywhere.
package struct UsageReader {
    /// The text of a file by its path below the hierarchies' roots, such as `memory/memory.stat` or, with cgroup v2,
    /// `memory.stat`; `nil` where there is none.
    private let text: (String) -> String?

    package init(_ text: @escaping (String) -> String?) { self.text = text }

    /// A unified hierarchy's files, by the kernel's documentation of cgroup v2.
    package func unified() -> ContainerUsage {
        var usage = ContainerUsage()
        usage.cpu = .microseconds(field("usage_usec", in: "cpu.stat") ?? 0)
        let inactive = field("inactive_file", in: "memory.stat") ?? 0
        usage.memory = ByteCount(max(0, (number("memory.current") ?? 0) - inactive))
        usage.memoryLimit = number("memory.max").map { ByteCount($0) }
        for line in lines("io.stat") {
            for word in line.dropFirst() {
                if word.hasPrefix("rbytes=") { usage.read.add(Int64(word.dropFirst(7))) }
                if word.hasPrefix("wbytes=") { usage.written.add(Int64(word.dropFirst(7))) }
            }
        }
        usage.processes = Int(number("pids.current") ?? 0)
        return usage
    }

    /// The files of the hierarchies of cgroup v1.
    package func separate() -> ContainerUsage {
        var usage = ContainerUsage()
        usage.cpu = .nanoseconds(number("cpuacct/cpuacct.usage") ?? number("cpu,cpuacct/cpuacct.usage") ?? 0)
        let inactive = field("total_inactive_file", in: "memory/memory.stat") ?? 0
        usage.memory = ByteCount(max(0, (number("memory/memory.usage_in_bytes") ?? 0) - inactive))
        // No limit is a number beyond all memory.
        usage.memoryLimit = number("memory/memory.limit_in_bytes").flatMap { $0 < Int64.max / 2 ? ByteCount($0) : nil }
        let names = ["blkio/blkio.throttle.io_service_bytes_recursive", "blkio/blkio.throttle.io_service_bytes"]
        for line in names.lazy.map({ lines($0) }).first(where: { !$0.isEmpty }) ?? [] where line.count == 3 {
            if line[1] == "Read" { usage.read.add(Int64(line[2])) }
            if line[1] == "Write" { usage.written.add(Int64(line[2])) }
        }
        usage.processes = Int(number("pids/pids.current") ?? 0)
        return usage
    }

    /// Adds what went over the network, from a container's `/proc/PID/net/dev`; its loopback apart.
    package static func addTraffic(_ text: String, to usage: inout ContainerUsage) {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].filter({ $0 != " " }) != "lo" else { continue }
            let numbers = parts[1].split(separator: " ").map { Int64($0) ?? 0 }
            guard numbers.count >= 9 else { continue }
            usage.received.add(numbers[0])
            usage.sent.add(numbers[8])
        }
    }

    private func number(_ path: String) -> Int64? {
        text(path).flatMap { Int64($0.prefix { $0.isNumber }) }
    }

    private func lines(_ path: String) -> [[Substring]] {
        (text(path) ?? "").split(separator: "\n").map { $0.split(separator: " ") }
    }

    private func field(_ name: String, in path: String) -> Int64? {
        lines(path).first { $0.first.map(String.init) == name }.flatMap { $0.count > 1 ? Int64($0[1]) : nil }
    }
}

extension ByteCount {
    fileprivate mutating func add(_ count: Int64?) { self = ByteCount(rawValue &+ (count ?? 0)) }
}

/// A process of a container, as `ps` shows one.
package struct ContainerProcess: Hashable, Sendable {
    package var pid: Int32
    package var parent: Int32
    package var user: UInt32
    /// Processor time.
    package var time: Duration
    package var command: String
}

extension Engine {
    /// What the container uses now. Blocks.
    ///
    /// - Parameter pid: one of its processes, whose network is the container's.
    package func usage(of id: ContainerID, pid: Int32) -> ContainerUsage {
        let group = cgroup(id)
        let reader = UsageReader { path in
            switch facts.cgroups {
            case .v2: try? Files.readText("/sys/fs/cgroup\(group.path)/\(path)")
            case .v1, .hybrid:
                // The hierarchy's name stands before the group's path.
                path.firstIndex(of: "/").flatMap {
                    try? Files.readText("/sys/fs/cgroup/\(path[..<$0])\(group.path)\(path[$0...])")
                }
            }
        }
        var usage = facts.cgroups == .v2 ? reader.unified() : reader.separate()
        if usage.processes == 0 { usage.processes = group.processes.count }
        if let text = try? Files.readText("/proc/\(pid)/net/dev") { UsageReader.addTraffic(text, to: &usage) }
        return usage
    }

    /// The container's processes, by their numbers on the host. Blocks.
    package func processes(of id: ContainerID) -> [ContainerProcess] {
        cgroup(id).processes.sorted().compactMap { pid in
            // One that has ended meanwhile is left out.
            guard let stat = try? Files.readText("/proc/\(pid)/stat"),
                let status = try? Files.readText("/proc/\(pid)/status"), let end = stat.lastIndex(of: ")")
            else { return nil }
            let fields = stat[stat.index(after: end)...].split(separator: " ")
            guard fields.count > 12, let ticks = Int64(fields[11]), let more = Int64(fields[12]) else { return nil }
            let words = ((try? Files.readText("/proc/\(pid)/cmdline")) ?? "").split(separator: "\0").joined(separator: " ")
            let name = stat.prefix(upTo: end).split(separator: "(", maxSplits: 1).last.map(String.init) ?? ""
            let user = status.split(separator: "\n").first { $0.hasPrefix("Uid:") }?.split(whereSeparator: \.isWhitespace)
            return ContainerProcess(
                pid: pid, parent: Int32(fields[1]) ?? 0, user: user.flatMap { $0.count > 2 ? UInt32($0[2]) : nil } ?? 0,
                time: .milliseconds((ticks + more) * 10), command: words.isEmpty ? "[\(name)]" : words)
        }
    }
}

import EscaleCore
import EscaleOCI
import EscaleSystem

extension Cgroup {
    /// Whether it is there, in any hierarchy.
    var exists: Bool {
        switch layout {
        case .v2: Files.exists("/sys/fs/cgroup\(path)")
        case .v1, .hybrid: ((try? Files.list("/sys/fs/cgroup")) ?? []).contains { Files.exists("/sys/fs/cgroup/\($0)\(path)") }
        }
    }

    /// Gives the groups above it the time of processors that realtime processes in it are to have. With cgroup v1 alone: a group
    /// gets of its parent's, and a new parent has none.
    func raiseRealtime(runtime: Int64, period: UInt64?) throws(EscaleError) {
        let root = "/sys/fs/cgroup/cpu"
        guard layout != .v2, Files.exists("\(root)/cpu.rt_runtime_us") else { return }
        let share = Double(runtime) / Double(period ?? 1_000_000)
        var directory = root
        for name in path.split(separator: "/").dropLast() {
            directory += "/\(name)"
            try Files.createDirectories(directory)
            let taken = ((try? Files.list(directory)) ?? []).reduce(0) { sum, child in
                sum + (Self.realtimeShare(of: "\(directory)/\(child)") ?? 0)
            }
            let needed = Int64(((taken + share) * 1_000_000).rounded(.up))
            let present = Self.realtimeShare(of: directory) ?? 0
            guard Double(needed) > present * 1_000_000 else { continue }
            do {
                try Files.write("\(directory)/cpu.rt_period_us", "1000000".utf8)
                try Files.write("\(directory)/cpu.rt_runtime_us", "\(needed)".utf8)
            } catch {
                throw .settingRefused(
                    "cpu_rt_runtime", "this machine has no \(runtime) µs of each period left for realtime processes",
                    hint: "ask for less: see /proc/sys/kernel/sched_rt_runtime_us and \(root)/cpu.rt_runtime_us")
            }
        }
    }

    private static func realtimeShare(of directory: String) -> Double? {
        func number(_ name: String) -> Double? {
            (try? Files.readText("\(directory)/\(name)")).flatMap { Int64($0.filter { $0.isNumber }) }.map(Double.init)
        }
        guard let runtime = number("cpu.rt_runtime_us"), let period = number("cpu.rt_period_us"), period > 0 else { return nil }
        return runtime / period
    }

    /// Sets weights of block devices where the runtime can't: with cgroup v1 only the BFQ scheduler knows weights, under names
    /// of its own.
    func setWeights(_ limits: ContainerLimits.BlockDevices, _ nodes: [String: [DeviceNode]]) throws(EscaleError) {
        let directory = "/sys/fs/cgroup/blkio\(path)"
        do {
            if let weight = limits.weight { try Files.write("\(directory)/blkio.bfq.weight", "\(weight)".utf8) }
        } catch {
            throw .settingRefused("blkio_config", error.message, hint: "remove `weight`")
        }
        for device in limits.weights {
            for node in nodes[device.path] ?? [] {
                do {
                    try Files.write(
                        "\(directory)/blkio.bfq.weight_device", "\(node.major):\(node.minor) \(device.value)".utf8)
                } catch {
                    throw .settingRefused(
                        "blkio_config", "\(device.path) has no weights: \(error.message)",
                        hint: "give it the scheduler that has them: echo bfq > /sys/block/DEVICE/queue/scheduler")
                }
            }
        }
    }

    /// Whether it takes ``setWeights(_:_:)``.
    var hasSchedulersWeights: Bool {
        layout != .v2 && Files.exists("/sys/fs/cgroup/blkio/blkio.bfq.io_serviced")
            && !KernelLimits.exists("blkio/*/blkio.weight")
    }
}

package import EscaleOCI
import EscaleSystem

/// Limits that not every kernel can keep.
package enum KernelLimits {
    /// What a kernel doesn't do, by the attribute that asks for it.
    package struct Missing: Hashable, Sendable {
        package let attribute: String
        package let reason: String
    }

    /// Takes away what this kernel can't do, as Docker does, and says what that is.
    ///
    /// - Parameter exists: whether there is such a file below `/sys/fs/cgroup`. A group's own files, which the root of its
    ///   hierarchy hasn't, are asked for as `*/file`.
    package static func settle(
        _ limits: inout ContainerLimits, on layout: HostFacts.CgroupLayout, exists: (String) -> Bool
    ) -> [Missing] {
        var missing: [Missing] = []
        func needs(_ attribute: String, v1: String, v2: String?, _ remove: () -> Void) {
            let file = layout == .v2 ? v2 : v1
            if let file, exists(file) { return }
            let reason = file == nil ? "there is no such limit with cgroup v2" : "this kernel has no such limit"
            missing.append(Missing(attribute: attribute, reason: reason))
            remove()
        }
        if limits.swappiness != nil {
            needs("mem_swappiness", v1: "memory/memory.swappiness", v2: nil) { limits.swappiness = nil }
        }
        if limits.survivesOutOfMemory != nil {
            needs("oom_kill_disable", v1: "memory/memory.oom_control", v2: nil) { limits.survivesOutOfMemory = nil }
        }
        if limits.realtimeRuntime != nil || limits.realtimePeriod != nil {
            needs("cpu_rt_runtime", v1: "cpu/cpu.rt_runtime_us", v2: nil) {
                limits.realtimeRuntime = nil
                limits.realtimePeriod = nil
            }
        }
        if limits.blockDevices != nil {
            needs("blkio_config", v1: "blkio/blkio.throttle.read_bps_device", v2: "*/io.max") { limits.blockDevices = nil }
        }
        return missing
    }

    /// On this machine. Blocks, for a look at a few names.
    package static func exists(_ pattern: String) -> Bool {
        let root = "/sys/fs/cgroup"
        guard let star = pattern.firstIndex(of: "*") else { return Files.exists("\(root)/\(pattern)") }
        let parent = "\(root)/\(pattern[..<star])"
        let rest = pattern[star...].dropFirst()
        return ((try? Files.list(parent)) ?? []).contains { Files.exists("\(parent)/\($0)\(rest)") }
    }
}

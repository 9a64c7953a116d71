import EscaleEngine
import EscaleOCI
import Testing

/// Which limits are left out on which kernel, from the names of its files.
@Suite struct KernelLimitsTests {
    private static let attributes = ["mem_swappiness", "oom_kill_disable", "cpu_rt_runtime", "blkio_config"]

    private func everything() -> ContainerLimits {
        var limits = ContainerLimits()
        limits.swappiness = 10
        limits.survivesOutOfMemory = true
        limits.realtimeRuntime = 1000
        limits.realtimePeriod = 10_000
        limits.blockDevices = .init()
        limits.processes = 7
        return limits
    }

    private func missing(_ layout: HostFacts.CgroupLayout, _ files: Set<String>) -> (ContainerLimits, [String]) {
        var limits = everything()
        let missing = KernelLimits.settle(&limits, on: layout, exists: files.contains)
        return (limits, missing.map(\.attribute))
    }

    @Test(arguments: [HostFacts.CgroupLayout.v1, .hybrid]) func theFirstVersionHasThemAll(layout: HostFacts.CgroupLayout) {
        let (limits, missing) = missing(
            layout,
            [
                "memory/memory.swappiness", "memory/memory.oom_control", "cpu/cpu.rt_runtime_us",
                "blkio/blkio.throttle.read_bps_device",
            ])
        #expect(limits == everything())
        #expect(missing.isEmpty)
    }

    @Test func aKernelWithoutThemLosesThem() {
        let (limits, missing) = missing(.v1, [])
        var left = ContainerLimits()
        left.processes = 7
        #expect(limits == left)
        #expect(missing == Self.attributes)
    }

    @Test func theSecondVersionHasBlockDevicesOnly() {
        let (limits, missing) = missing(.v2, ["*/io.max", "memory/memory.swappiness"])
        #expect(limits.blockDevices != nil)
        #expect(limits.swappiness == nil)
        #expect(missing == ["mem_swappiness", "oom_kill_disable", "cpu_rt_runtime"])
    }
}

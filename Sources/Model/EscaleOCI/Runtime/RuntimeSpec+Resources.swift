import EscaleCore

/// Limits, as the OCI runtime specification has them.
extension RuntimeSpec {
    package struct Memory: Codable, Hashable, Sendable {
        var limit: Int64?
        var reservation: Int64?
        var swap: Int64?
        var swappiness: UInt64?
        var disableOOMKiller: Bool?
    }

    package struct Processors: Codable, Hashable, Sendable {
        var quota: Int64?
        var period: UInt64?
        var shares: UInt64?
        var cpus: String?
        var realtimeRuntime: Int64?
        var realtimePeriod: UInt64?
    }

    package struct ProcessCount: Codable, Hashable, Sendable { var limit: Int }

    package struct DeviceWeight: Codable, Hashable, Sendable {
        var major: Int
        var minor: Int
        var weight: UInt16
    }

    package struct DeviceRate: Codable, Hashable, Sendable {
        var major: Int
        var minor: Int
        var rate: UInt64
    }

    package struct BlockIO: Codable, Hashable, Sendable {
        var weight: UInt16?
        var weightDevice: [DeviceWeight]?
        var throttleReadBpsDevice: [DeviceRate]?
        var throttleWriteBpsDevice: [DeviceRate]?
        var throttleReadIOPSDevice: [DeviceRate]?
        var throttleWriteIOPSDevice: [DeviceRate]?
    }

    package struct Resources: Codable, Hashable, Sendable {
        var devices: [DeviceRule]
        var memory: Memory?
        var cpu: Processors?
        var pids: ProcessCount?
        var blockIO: BlockIO?
    }

    static func resources(_ spec: ContainerSpec, _ nodes: [String: [DeviceNode]]) -> Resources {
        var resources = Resources(devices: deviceRules(spec, nodes))
        guard let limits = spec.limits else { return resources }
        let memory = Memory(
            limit: limits.memory?.rawValue, reservation: limits.memoryReservation?.rawValue, swap: limits.memoryAndSwap,
            swappiness: limits.swappiness, disableOOMKiller: limits.survivesOutOfMemory)
        if memory != Memory() { resources.memory = memory }
        let processors = Processors(
            quota: limits.cpuQuota, period: limits.cpuPeriod, shares: limits.cpuShares, cpus: limits.cpuset,
            realtimeRuntime: limits.realtimeRuntime, realtimePeriod: limits.realtimePeriod)
        if processors != Processors() { resources.cpu = processors }
        resources.pids = limits.processes.map(ProcessCount.init)
        resources.blockIO = limits.blockDevices.map { BlockIO($0, nodes) }
        return resources
    }
}

extension RuntimeSpec.BlockIO {
    fileprivate init(_ limits: ContainerLimits.BlockDevices, _ nodes: [String: [DeviceNode]]) {
        func numbered<Value>(
            _ values: [ContainerLimits.BlockDevices.Value], _ make: (DeviceNode, UInt64) -> Value
        ) -> [Value]? {
            let made = values.flatMap { value in (nodes[value.path] ?? []).map { make($0, value.value) } }
            return made.isEmpty ? nil : made
        }
        func rates(_ values: [ContainerLimits.BlockDevices.Value]) -> [RuntimeSpec.DeviceRate]? {
            numbered(values) { RuntimeSpec.DeviceRate(major: $0.major, minor: $0.minor, rate: $1) }
        }
        self.init(
            weight: limits.weight,
            weightDevice: numbered(limits.weights) {
                RuntimeSpec.DeviceWeight(major: $0.major, minor: $0.minor, weight: UInt16(clamping: $1))
            },
            throttleReadBpsDevice: rates(limits.readBytes), throttleWriteBpsDevice: rates(limits.writtenBytes),
            throttleReadIOPSDevice: rates(limits.reads), throttleWriteIOPSDevice: rates(limits.writes))
    }
}

extension ContainerLimits.BlockDevices {
    /// Every device that it names.
    package var paths: Set<String> { Set([weights, readBytes, writtenBytes, reads, writes].joined().map(\.path)) }
}

package import EscaleCompose
import EscaleCore
package import EscaleOCI

extension Recipe {
    /// What the service's replicas may use of the machine each; `nil` where the file says nothing about it.
    ///
    /// Where the file says 0 for no limit, the project says nothing.
    ///
    /// - Parameter countsSwap: whether the kernel can limit swap. Where it can, a container with a memory limit gets as
    ///   much swap again, as with Docker.
    func limits(countsSwap: Bool) -> ContainerLimits? {
        let own = service.resources
        let deployed = service.deploy?.limits
        var limits = ContainerLimits()
        limits.memory = deployed?.memory ?? own?.memory
        limits.memoryReservation = service.deploy?.reservations?.memory ?? own?.memoryReservation
        if countsSwap {
            limits.memoryAndSwap =
                switch own?.memoryAndSwap {
                case .unlimited: -1
                case .at(let both): both.rawValue
                case nil: limits.memory.map { $0.rawValue.multipliedReportingOverflow(by: 2) }
                    .map { $0.overflow ? Int64.max : $0.partialValue }
                }
        }
        if case .at(let count) = deployed?.processes ?? own?.processes { limits.processes = count }
        if let cpus = deployed?.cpus ?? own?.cpus {
            limits.cpuPeriod = 100_000
            limits.cpuQuota = Int64(max(cpus * 100_000, 1000).rounded())
        } else {
            limits.cpuPeriod = own?.cpuPeriod.map { UInt64($0 / .microseconds(1)) }
            if case .at(let quota) = own?.cpuQuota { limits.cpuQuota = Int64(quota / .microseconds(1)) }
        }
        limits.cpuShares = own?.cpuShares.flatMap { UInt64(exactly: $0) } ?? reservedShares
        limits.cpuset = own?.cpuset
        limits.outOfMemoryScore = own?.outOfMemoryScore
        limits.sharedMemory = own?.sharedMemory.flatMap { $0.rawValue > 0 ? $0 : nil }
        limits.ofEachProcess = ContainerLimits.processes(own?.ulimits ?? [:])
        limits.swappiness = own?.swappiness.map(UInt64.init)
        limits.survivesOutOfMemory = own?.disablesOutOfMemoryKiller == true ? true : nil
        limits.realtimeRuntime = own?.realtimeRuntime.map { Int64($0 / .microseconds(1)) }
        limits.realtimePeriod = own?.realtimePeriod.map { UInt64($0 / .microseconds(1)) }
        limits.blockDevices = own?.blockIO.map(ContainerLimits.BlockDevices.init)
        return limits == ContainerLimits() ? nil : limits
    }
}

extension Recipe {
    /// Reserved processors as a share: who reserves two gets twice what others get where processors are short, and nobody gets
    /// less for reserving something.
    private var reservedShares: UInt64? {
        guard let cpus = service.deploy?.reservations?.cpus, cpus > 0 else { return nil }
        return UInt64(min(max(cpus * 1024, 1024), 262_144))
    }
}

extension ContainerLimits.BlockDevices {
    fileprivate init(_ settings: BlockIO) {
        self.init()
        func values<Item>(_ items: [Item], _ path: (Item) -> String, _ value: (Item) -> Int64) -> [Value] {
            items.map { Value(path: path($0), value: UInt64(clamping: value($0))) }
        }
        weight = settings.weight.map { UInt16(clamping: $0) }
        weights = values(settings.deviceWeights, \.path) { Int64($0.weight) }
        readBytes = values(settings.readBytes, \.path, \.rate.rawValue)
        writtenBytes = values(settings.writtenBytes, \.path, \.rate.rawValue)
        reads = values(settings.readOperations, \.path) { Int64($0.rate) }
        writes = values(settings.writeOperations, \.path) { Int64($0.rate) }
    }
}

extension ContainerLimits {
    /// What `ulimits` of a compose file mean, by name.
    package static func processes(_ ulimits: [String: Ulimit]) -> [Process] {
        ulimits.sorted { $0.key < $1.key }.map { name, limit in
            Process(name: name, soft: number(limit.soft), hard: number(limit.hard))
        }
    }

    private static func number(_ bound: Bound<Int>) -> UInt64? {
        switch bound {
        case .unlimited: nil
        case .at(let value): UInt64(max(value, 0))
        }
    }
}

import EscaleCompose
import EscaleCore
import EscaleOCI

extension Recipe {
    /// What the service's replicas may use of the machine each; `nil` where the file says nothing about it.
    ///
    /// - Parameter countsSwap: whether the kernel can limit swap. Where it can, a container with a memory limit gets as
    ///   much swap again, as with Docker.
    func limits(countsSwap: Bool) -> ContainerLimits? {
        let own = service.resources
        let deployed = service.deploy?.limits
        var limits = ContainerLimits()
        limits.memory = (deployed?.memory ?? own?.memory).nonZero
        limits.memoryReservation = (service.deploy?.reservations?.memory ?? own?.memoryReservation).nonZero
        if countsSwap {
            limits.memoryAndSwap =
                switch own?.memoryAndSwap {
                case .unlimited: -1
                case .at(let both) where both.rawValue > 0: both.rawValue
                case .at, nil: limits.memory.map { $0.rawValue.multipliedReportingOverflow(by: 2) }
                    .map { $0.overflow ? Int64.max : $0.partialValue }
                }
        }
        if case .at(let count) = deployed?.processes ?? own?.processes, count > 0 { limits.processes = count }
        if let cpus = deployed?.cpus ?? own?.cpus, cpus > 0 {
            limits.cpuPeriod = 100_000
            limits.cpuQuota = Int64(max(cpus * 100_000, 1000).rounded())
        } else {
            if let period = own?.cpuPeriod, period > .zero { limits.cpuPeriod = UInt64(period / .microseconds(1)) }
            if case .at(let quota) = own?.cpuQuota, quota > .zero { limits.cpuQuota = Int64(quota / .microseconds(1)) }
        }
        if let shares = own?.cpuShares, shares > 0 { limits.cpuShares = UInt64(shares) }
        limits.cpuset = own?.cpuset
        limits.outOfMemoryScore = own?.outOfMemoryScore
        limits.sharedMemory = own?.sharedMemory.nonZero
        limits.ofEachProcess = (own?.ulimits ?? [:]).sorted { $0.key < $1.key }.map { name, limit in
            ContainerLimits.Process(name: name, soft: Self.number(limit.soft), hard: Self.number(limit.hard))
        }
        return limits == ContainerLimits() ? nil : limits
    }

    private static func number(_ bound: Bound<Int>) -> UInt64? {
        switch bound {
        case .unlimited: nil
        case .at(let value): UInt64(max(value, 0))
        }
    }
}

extension ByteCount? {
    /// In a compose file 0 means: no limit.
    fileprivate var nonZero: ByteCount? { flatMap { $0.rawValue > 0 ? $0 : nil } }
}

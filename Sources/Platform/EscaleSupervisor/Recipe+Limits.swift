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
        limits.cpuShares = own?.cpuShares.flatMap { UInt64(exactly: $0) }
        limits.cpuset = own?.cpuset
        limits.outOfMemoryScore = own?.outOfMemoryScore
        limits.sharedMemory = own?.sharedMemory.flatMap { $0.rawValue > 0 ? $0 : nil }
        limits.ofEachProcess = ContainerLimits.processes(own?.ulimits ?? [:])
        return limits == ContainerLimits() ? nil : limits
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

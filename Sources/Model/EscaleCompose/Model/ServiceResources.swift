package import EscaleCore

/// What a service's containers may use of the machine: the attributes beside `deploy`. `nil` is no word on it.
package struct ServiceResources: Codable, Hashable, Sendable {
    /// How many processors, as a fraction.
    package var cpus: Double?
    package var cpuCount: Int?
    /// 0...100.
    package var cpuPercent: Double?
    package var cpuPeriod: Duration?
    /// The time that all processes together get of a period.
    package var cpuQuota: Bound<Duration>?
    package var realtimePeriod: Duration?
    package var realtimeRuntime: Duration?
    package var cpuShares: Int?
    /// Numbers of processors, such as `0-3,5`.
    package var cpuset: String?
    package var memory: ByteCount?
    package var memoryReservation: ByteCount?
    /// Memory and swap together.
    package var memoryAndSwap: Bound<ByteCount>?
    /// 0...100.
    package var swappiness: Int?
    package var processes: Bound<Int>?
    package var disablesOutOfMemoryKiller: Bool?
    /// -1000...1000.
    package var outOfMemoryScore: Int?
    package var blockIO: BlockIO?
    /// By name, such as `nofile`.
    package var ulimits: [String: Ulimit]?
    /// Of `/dev/shm`.
    package var sharedMemory: ByteCount?
    package var storageOptions: [String: String]?

    package init() {}
}

/// A limit of the kernel for each process.
package struct Ulimit: Codable, Hashable, Sendable {
    /// What counts; a process may raise it up to ``hard``.
    package var soft: Bound<Int>
    package var hard: Bound<Int>

    package init(soft: Bound<Int>, hard: Bound<Int>) {
        self.soft = soft
        self.hard = hard
    }
}

/// Shares and limits of reading from and writing to block devices.
package struct BlockIO: Codable, Hashable, Sendable {
    package struct DeviceWeight: Codable, Hashable, Sendable {
        /// Of the device, absolute.
        package var path: String
        package var weight: Int
    }

    package struct DeviceBytes: Codable, Hashable, Sendable {
        package var path: String
        /// Each second.
        package var rate: ByteCount
    }

    package struct DeviceOperations: Codable, Hashable, Sendable {
        package var path: String
        /// Each second.
        package var rate: Int
    }

    /// 10...1000.
    package var weight: Int?
    package var deviceWeights: [DeviceWeight] = []
    package var readBytes: [DeviceBytes] = []
    package var readOperations: [DeviceOperations] = []
    package var writtenBytes: [DeviceBytes] = []
    package var writeOperations: [DeviceOperations] = []

    package init() {}
}

package import EscaleCore

/// What a container may use of its machine; what is `nil` has no limit, or the kernel's usual value.
package struct ContainerLimits: Codable, Hashable, Sendable {
    /// A limit of each of its processes, in the unit of setrlimit(2); `nil` is none.
    package struct Process: Codable, Hashable, Sendable {
        /// As in a compose file: `nofile` for `RLIMIT_NOFILE`.
        package var name: String
        package var soft: UInt64?
        package var hard: UInt64?

        package init(name: String, soft: UInt64?, hard: UInt64?) {
            self.name = name
            self.soft = soft
            self.hard = hard
        }
    }

    /// Shares and limits of block devices; devices by their paths on the host.
    package struct BlockDevices: Codable, Hashable, Sendable {
        package struct Value: Codable, Hashable, Sendable {
            package var path: String
            package var value: UInt64

            package init(path: String, value: UInt64) {
                self.path = path
                self.value = value
            }
        }

        /// 10...1000, relative to others.
        package var weight: UInt16?
        package var weights: [Value] = []
        /// Bytes, or operations, each second.
        package var readBytes: [Value] = []
        package var writtenBytes: [Value] = []
        package var reads: [Value] = []
        package var writes: [Value] = []

        package init() {}
    }

    /// Beyond it the kernel kills.
    package var memory: ByteCount?
    /// What it is pressed down to where the machine runs out.
    package var memoryReservation: ByteCount?
    /// Memory and swap together; -1 for any amount of swap.
    package var memoryAndSwap: Int64?
    /// How many processes and threads there may be at a time.
    package var processes: Int?
    /// Time of processors that it gets in each ``cpuPeriod``, in microseconds.
    package var cpuQuota: Int64?
    package var cpuPeriod: UInt64?
    /// Relative to others, where processors are short; 1024 is usual.
    package var cpuShares: UInt64?
    /// The processors that it may run on, such as `0-2,5`.
    package var cpuset: String?
    /// -1000...1000: who goes first where the machine runs out of memory.
    package var outOfMemoryScore: Int?
    /// Size of `/dev/shm`.
    package var sharedMemory: ByteCount?
    package var ofEachProcess: [Process] = []
    /// 0...100: how gladly its memory is swapped out.
    package var swappiness: UInt64?
    /// Whether its processes wait for memory instead of being killed.
    package var survivesOutOfMemory: Bool?
    /// Of each period, in microseconds, for processes with a realtime priority.
    package var realtimeRuntime: Int64?
    package var realtimePeriod: UInt64?
    package var blockDevices: BlockDevices?

    package init() {}
}

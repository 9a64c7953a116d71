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

    package init() {}
}

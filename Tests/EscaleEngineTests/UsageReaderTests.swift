import EscaleCore
import EscaleEngine
import Testing

/// Counters out of recorded files of the kernel.
@Suite struct UsageReaderTests {
    /// As Linux 6.1 on a host with cgroup v2 shows them for a container with a limit of 64 MiB.
    private let unified = [
        "cpu.stat": "usage_usec 2250417\nuser_usec 2010000\nsystem_usec 240417\nnr_periods 0\nnr_throttled 0\n",
        "memory.current": "31457280\n", "memory.max": "67108864\n",
        "memory.stat": "anon 20971520\nfile 10485760\nkernel 1048576\ninactive_file 8388608\nactive_file 2097152\n",
        "io.stat": "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n253:1 rbytes=100 wbytes=0 rios=1 wios=0\n",
        "pids.current": "7\n",
    ]

    private let separate = [
        "cpuacct/cpuacct.usage": "2250417000\n", "memory/memory.usage_in_bytes": "31457280\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/memory.stat": "cache 10485760\ninactive_file 1\ntotal_cache 10485760\ntotal_inactive_file 8388608\n",
        "blkio/blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 0\n8:0 Total 12288\nTotal 12288\n",
        "pids/pids.current": "7\n",
    ]

    @Test func countersOfAUnifiedHierarchy() {
        let usage = UsageReader { unified[$0] }.unified()
        #expect(usage.cpu == .microseconds(2_250_417))
        #expect(usage.memory == ByteCount(31_457_280 - 8_388_608))
        #expect(usage.memoryLimit == ByteCount(64 << 20))
        #expect(usage.read == ByteCount(4196))
        #expect(usage.written == ByteCount(8192))
        #expect(usage.processes == 7)
    }

    @Test func noLimitOfAUnifiedHierarchyIsNone() {
        let usage = UsageReader { $0 == "memory.max" ? "max\n" : unified[$0] }.unified()
        #expect(usage.memoryLimit == nil)
    }

    @Test func countersOfSeparateHierarchies() {
        let usage = UsageReader { separate[$0] }.separate()
        #expect(usage.cpu == .nanoseconds(2_250_417_000))
        #expect(usage.memory == ByteCount(31_457_280 - 8_388_608))
        #expect(usage.memoryLimit == nil)
        #expect(usage.read == ByteCount(4096))
        #expect(usage.written == ByteCount(8192))
        #expect(usage.processes == 7)
    }

    @Test(arguments: ["", "nonsense", "usage_usec", "x:0 rbytes=x wbytes=", "-5"]) func filesThatAreMissingOrBrokenCountNothing(text: String) {
        #expect(UsageReader { _ in text }.unified() == ContainerUsage())
        #expect(UsageReader { _ in text }.separate() == ContainerUsage())
        #expect(UsageReader { _ in nil }.unified() == ContainerUsage())
    }

    @Test func trafficIsThatOfAllInterfacesButLoopback() {
        var usage = ContainerUsage()
        UsageReader.addTraffic(
            """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
                lo:    5000      50    0    0    0     0          0         0     5000      50    0    0    0     0       0          0
              eth0:    1200      10    0    0    0     0          0         0      800       8    0    0    0     0       0          0
              eth1:      34       1    0    0    0     0          0         0       66       1    0    0    0     0       0          0
            """, to: &usage)
        #expect(usage.received == ByteCount(1234))
        #expect(usage.sent == ByteCount(866))
    }
}

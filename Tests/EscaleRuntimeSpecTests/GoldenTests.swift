import EscaleCore
import EscaleOCI
import FoundationEssentials
import Testing

/// Whole specifications, as an OCI runtime reads them.
@Suite struct GoldenTests {
    private static let files = [
        "/etc/hosts": "/state/hosts", "/etc/hostname": "/state/hostname", "/etc/resolv.conf": "/state/resolv.conf",
    ]

    @Test func aPlainContainer() throws {
        try expectSpec("plain", RuntimeSpec(plain(), files: Self.files))
    }

    @Test func aHardenedContainer() throws {
        var spec = plain()
        spec.capabilities = try Capabilities.resolved(adding: ["net_bind_service"], dropping: ["all"])
        spec.readOnlyRoot = true
        spec.mounts = [
            .init(.tmpfs(size: ByteCount(compose: "64m"), mode: 0o700), target: "/tmp"),
            .init(.tmpfs(size: nil, mode: nil), target: "/run"),
        ]
        try expectSpec("hardened", RuntimeSpec(spec, files: Self.files))
    }

    @Test func aContainerWithLimits() throws {
        var spec = plain()
        var limits = ContainerLimits()
        limits.memory = ByteCount(compose: "64m")
        limits.memoryReservation = ByteCount(compose: "32m")
        limits.memoryAndSwap = -1
        limits.processes = 100
        limits.cpuQuota = 150_000
        limits.cpuPeriod = 100_000
        limits.cpuShares = 512
        limits.cpuset = "0-1"
        limits.outOfMemoryScore = -500
        limits.sharedMemory = ByteCount(compose: "128m")
        limits.ofEachProcess = [
            .init(name: "core", soft: 0, hard: nil), .init(name: "nofile", soft: 1024, hard: 4096),
        ]
        spec.limits = limits
        try expectSpec("limits", RuntimeSpec(spec))
    }

    @Test func nestedMounts() throws {
        var spec = plain()
        spec.mounts = [
            .init(.bind(source: "/src/conf"), target: "/data/app/conf.d", readOnly: true),
            .init(.bind(source: "/volumes/data"), target: "/data"),
            .init(.tmpfs(size: nil, mode: nil), target: "/data/cache"),
            .init(.bind(source: "/src/app"), target: "/data/app"),
            .init(.bind(source: "/volumes/etc"), target: "/etc"),
        ]
        try expectSpec("nested-mounts", RuntimeSpec(spec, files: Self.files))
    }

    @Test func anInitAndAUserWithGroups() throws {
        var spec = ContainerSpec(
            id: ContainerID(rawValue: "5"), arguments: ["server", "--port", "80"],
            environment: ["HOME": "/home/app", "PATH": "/bin", "SPACE": "a b=c\n"], workingDirectory: "/home/app",
            user: 1000, group: 1001, additionalGroups: [20, 44], hostname: "app.example.org")
        spec.initProgram = "/usr/libexec/podman/catatonit"
        spec.terminal = true
        try expectSpec("init-user", RuntimeSpec(spec))
    }

    private static let nodes: [String: [DeviceNode]] = [
        "/dev/vda": [
            DeviceNode(path: "/dev/vda", kind: .block, major: 254, minor: 0, mode: 0o660, user: 0, group: 6)
        ],
        "/dev/snd": [
            DeviceNode(path: "/dev/snd/seq", kind: .character, major: 116, minor: 1, mode: 0o660, user: 0, group: 29),
            DeviceNode(path: "/dev/snd/by-path/pcm", kind: .character, major: 116, minor: 2, mode: 0o660, user: 0, group: 29),
        ],
        "/dev": [
            DeviceNode(path: "/dev/null", kind: .character, major: 1, minor: 3, mode: 0o666, user: 0, group: 0),
            DeviceNode(path: "/dev/vda", kind: .block, major: 254, minor: 0, mode: 0o660, user: 0, group: 6),
        ],
    ]

    private func whole(_ spec: ContainerSpec, profile: SeccompProfile? = nil) -> RuntimeSpec {
        RuntimeSpec(spec, rootPath: "/run/escale/containers/5/rootfs", cgroup: "/batch/5", files: [:], profile: profile, nodes: Self.nodes)
    }

    @Test func everyLimitOfDevicesMemoryAndRealtime() throws {
        var spec = plain()
        var limits = ContainerLimits()
        limits.swappiness = 10
        limits.survivesOutOfMemory = true
        limits.realtimeRuntime = 10_000
        limits.realtimePeriod = 1_000_000
        var block = ContainerLimits.BlockDevices()
        block.weight = 300
        block.weights = [.init(path: "/dev/vda", value: 400)]
        block.readBytes = [.init(path: "/dev/vda", value: 1 << 20)]
        block.writtenBytes = [.init(path: "/dev/vda", value: 2 << 20)]
        block.reads = [.init(path: "/dev/vda", value: 100)]
        block.writes = [.init(path: "/dev/vda", value: 200)]
        limits.blockDevices = block
        spec.limits = limits
        try expectSpec("all-limits", whole(spec))
    }

    @Test func aPrivilegedContainer() throws {
        var spec = plain()
        spec.capabilities = Capabilities.named(in: 0x1ff_ffff_ffff).sorted()
        spec.confinement = Confinement()
        spec.confinement?.isPrivileged = true
        try expectSpec("privileged", whole(spec, profile: SeccompProfile.refusing("mkdir")))
    }

    @Test func devicesRulesAndParameters() throws {
        var spec = plain()
        spec.devices = [
            HostDevice(source: "/dev/vda", target: "/dev/disk", access: "r"),
            HostDevice(source: "/dev/snd", target: "/dev/sound", access: "rw"),
        ]
        spec.confinement = Confinement()
        spec.confinement?.deviceRules = ["c 1:3 mr", "a 7:* rwm"]
        spec.confinement?.noNewPrivileges = true
        spec.confinement?.appArmorProfile = "own"
        spec.confinement?.showsSystemPaths = true
        spec.confinement?.writesCgroups = true
        spec.sysctls = ["net.core.somaxconn": "1024", "net.ipv4.ip_unprivileged_port_start": "80"]
        spec.hasCgroupNamespace = true
        try expectSpec("devices", whole(spec))
    }

    @Test func aProfileOfOnesOwnTakesThePlaceOfTheUsualOne() throws {
        var spec = plain()
        spec.confinement = Confinement()
        let usual = try SeccompProfile.refusing("mkdir")
        for (choice, names) in [
            (Confinement.SystemCalls.standard, ["mkdir"]), (.any, nil), (.profile(try SeccompProfile.refusing("chmod")), ["chmod"]),
        ] {
            spec.confinement?.systemCalls = choice
            #expect(try ReadSpec(whole(spec, profile: usual)).linux.seccomp?.syscalls.flatMap(\.names) == names)
        }
    }

    // MARK: The rules behind them

    private func order(_ spec: RuntimeSpec) throws -> [String] {
        try ReadSpec(spec).mounts.map(\.destination).filter { !$0.hasPrefix("/dev") && $0 != "/proc" && !$0.hasPrefix("/sys") }
    }

    @Test func parentsAreMountedBeforeWhatIsInThem() throws {
        var spec = plain()
        for target in ["/a/b/c", "/a", "/a/b", "/z/", "/a//x"] {
            spec.mounts.append(.init(.bind(source: "/src"), target: target))
        }
        #expect(try order(RuntimeSpec(spec)) == ["/a", "/z/", "/a/b", "/a//x", "/a/b/c"])
    }

    @Test func aVolumeAtEtcDoesNotHideTheResolver() throws {
        var spec = plain()
        spec.mounts = [.init(.bind(source: "/volumes/etc"), target: "/etc")]
        #expect(try order(RuntimeSpec(spec, files: Self.files)) == ["/etc", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"])
    }

    @Test func theUsersOwnFileWins() throws {
        var spec = plain()
        spec.mounts = [.init(.bind(source: "/my/hosts"), target: "/etc/hosts")]
        let mounts = try ReadSpec(RuntimeSpec(spec, files: Self.files)).mounts.filter { $0.destination == "/etc/hosts" }
        #expect(mounts.map(\.source) == ["/state/hosts", "/my/hosts"])
    }

    /// A file is a mount only when somebody has written it.
    @Test func aFileThatIsNotWrittenIsNoMount() throws {
        var spec = plain()
        spec.mounts = [.init(.file(ProvidedFile(.text("x"))), target: "/etc/app.conf", readOnly: true)]
        #expect(try !ReadSpec(RuntimeSpec(spec)).mounts.contains { $0.destination == "/etc/app.conf" })
    }

    @Test func aReadOnlyRootHasReadOnlyFiles() throws {
        var spec = plain()
        for isReadOnly in [false, true] {
            spec.readOnlyRoot = isReadOnly
            let mounts = try ReadSpec(RuntimeSpec(spec, files: Self.files)).mounts.filter { $0.source.hasPrefix("/state") }
            #expect(mounts.count == 3)
            #expect(mounts.allSatisfy { $0.options.contains(isReadOnly ? "ro" : "rw") })
        }
    }
}

extension SeccompProfile {
    /// As a file has it, in the older form.
    fileprivate static func refusing(_ name: String) throws -> SeccompProfile {
        let text = #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "\#(name)", "action": "SCMP_ACT_ERRNO", "comment": ""}]}"#
        return try JSONDecoder().decode(SeccompProfile.self, from: Data(text.utf8))
    }
}

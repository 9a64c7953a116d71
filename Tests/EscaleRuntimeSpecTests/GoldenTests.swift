import EscaleCore
import EscaleOCI
import Testing

/// Whole specifications, as an OCI runtime reads them.
@Suite struct GoldenTests {
    private static let files = [
        "/etc/hosts": "/state/hosts", "/etc/hostname": "/state/hostname", "/etc/resolv.conf": "/state/resolv.conf",
    ]

    @Test func aPlainContainer() throws {
        try expectGolden("plain", RuntimeSpec(plain(), files: Self.files))
    }

    @Test func aHardenedContainer() throws {
        var spec = plain()
        spec.capabilities = try Capabilities.resolved(adding: ["net_bind_service"], dropping: ["all"])
        spec.readOnlyRoot = true
        spec.mounts = [
            .init(.tmpfs(size: ByteCount(compose: "64m"), mode: 0o700), target: "/tmp"),
            .init(.tmpfs(size: nil, mode: nil), target: "/run"),
        ]
        try expectGolden("hardened", RuntimeSpec(spec, files: Self.files))
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
        try expectGolden("limits", RuntimeSpec(spec))
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
        try expectGolden("nested-mounts", RuntimeSpec(spec, files: Self.files))
    }

    @Test func anInitAndAUserWithGroups() throws {
        var spec = ContainerSpec(
            id: ContainerID(rawValue: "5"), arguments: ["server", "--port", "80"],
            environment: ["HOME": "/home/app", "PATH": "/bin", "SPACE": "a b=c\n"], workingDirectory: "/home/app",
            user: 1000, group: 1001, additionalGroups: [20, 44], hostname: "app.example.org")
        spec.initProgram = "/usr/libexec/podman/catatonit"
        spec.terminal = true
        try expectGolden("init-user", RuntimeSpec(spec))
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

import EscaleCore

/// The part of the OCI runtime specification's `config.json` that Escale writes.
///
/// <https://github.com/opencontainers/runtime-spec/blob/main/config.md>
package struct RuntimeSpec: Codable, Hashable, Sendable {
    package struct User: Codable, Hashable, Sendable {
        var uid: UInt32
        var gid: UInt32
        var additionalGids: [UInt32]
    }

    package struct CapabilitySets: Codable, Hashable, Sendable {
        var bounding: [String]
        var effective: [String]
        var permitted: [String]
    }

    package struct Process: Codable, Hashable, Sendable {
        var terminal: Bool
        var user: User
        var args: [String]
        var env: [String]
        var cwd: String
        var capabilities: CapabilitySets
        var noNewPrivileges: Bool
        var rlimits: [ProcessLimit]?
        var oomScoreAdj: Int?

        /// The container's first process; its init, where it has one, is not yet in the arguments.
        package init(_ spec: ContainerSpec) {
            terminal = spec.terminal
            user = User(uid: spec.user, gid: spec.group, additionalGids: spec.additionalGroups)
            args = spec.arguments
            env = spec.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            cwd = spec.workingDirectory
            capabilities = CapabilitySets(
                bounding: spec.capabilities, effective: spec.capabilities, permitted: spec.capabilities)
            noNewPrivileges = false
            oomScoreAdj = spec.limits?.outOfMemoryScore
            let limits = spec.limits?.ofEachProcess ?? []
            rlimits = limits.isEmpty ? nil : limits.map(ProcessLimit.init)
        }
    }

    package struct ProcessLimit: Codable, Hashable, Sendable {
        var type: String
        var soft: UInt64
        var hard: UInt64

        /// The specification has no word for "none"; the largest number is `RLIM_INFINITY`.
        init(_ limit: ContainerLimits.Process) {
            type = "RLIMIT_\(limit.name.uppercased())"
            soft = limit.soft ?? .max
            hard = limit.hard ?? .max
        }
    }

    package struct Root: Codable, Hashable, Sendable {
        var path: String
        var readonly: Bool
    }

    package struct Mount: Codable, Hashable, Sendable {
        var destination: String
        var type: String
        var source: String
        var options: [String]
    }

    package struct Namespace: Codable, Hashable, Sendable {
        var type: String
        var path: String?
    }

    package struct DeviceRule: Codable, Hashable, Sendable {
        var allow: Bool
        var type: String?
        var major: Int?
        var minor: Int?
        var access: String
    }

    package struct Memory: Codable, Hashable, Sendable {
        var limit: Int64?
        var reservation: Int64?
        var swap: Int64?
    }

    package struct Processors: Codable, Hashable, Sendable {
        var quota: Int64?
        var period: UInt64?
        var shares: UInt64?
        var cpus: String?
    }

    package struct ProcessCount: Codable, Hashable, Sendable { var limit: Int }

    package struct Resources: Codable, Hashable, Sendable {
        var devices: [DeviceRule]
        var memory: Memory?
        var cpu: Processors?
        var pids: ProcessCount?
    }

    package struct Linux: Codable, Hashable, Sendable {
        var cgroupsPath: String
        var namespaces: [Namespace]
        var resources: Resources
        var sysctl: [String: String]
        var seccomp: SeccompFilter?
        var maskedPaths: [String]
        var readonlyPaths: [String]
    }

    var ociVersion = "1.0.2"
    var process: Process
    var root: Root
    var hostname: String
    var mounts: [Mount]
    var linux: Linux

    /// The container as Docker would set it up: same mounts, devices, masked paths, capabilities and seccomp profile.
    ///
    /// - Parameters:
    ///   - cgroup: the cgroup's path below each hierarchy's root.
    ///   - files: host files that stand for ones of the container, such as `/etc/resolv.conf`, by target.
    ///   - profile: the seccomp profile; `nil` for none.
    package init(
        _ spec: ContainerSpec, rootPath: String, cgroup: String, files: [String: String], profile: SeccompProfile?
    ) {
        process = Process(spec)
        var mounts = Self.standardMounts(sharedMemory: spec.limits?.sharedMemory)
        if let program = spec.initProgram {
            process.args = [Self.initPath, "--"] + process.args
            mounts.append(Self.bind(program, Self.initPath, readOnly: true))
        }
        let own = files.sorted { $0.key < $1.key }.map { Self.bind($0.value, $0.key, readOnly: spec.readOnlyRoot) }
        mounts += Self.parentsFirst(own + spec.mounts.compactMap(Self.mount))
        root = Root(path: rootPath, readonly: spec.readOnlyRoot)
        hostname = spec.hostname
        self.mounts = mounts
        linux = Linux(
            cgroupsPath: cgroup,
            namespaces: Self.namespaces(spec),
            resources: Self.resources(spec.limits),
            sysctl: Self.sysctls(spec),
            seccomp: profile?.filter(capabilities: Set(spec.capabilities)),
            maskedPaths: Self.maskedPaths,
            readonlyPaths: Self.readonlyPaths)
    }

    private static let initPath = "/dev/init"

    /// Parents before children, so that a volume inside another one, or a file of ours inside a volume, is mounted over
    /// it; for one place the last one counts.
    private static func parentsFirst(_ mounts: [Mount]) -> [Mount] {
        mounts.enumerated()
            .sorted { (depth($0.element.destination), $0.offset) < (depth($1.element.destination), $1.offset) }
            .map(\.element)
    }

    private static func depth(_ path: String) -> Int { path.split(separator: "/").count }

    /// `nil` for a file that nobody has written yet.
    private static func mount(_ mount: ContainerSpec.Mount) -> Mount? {
        switch mount.kind {
        case .file: return nil
        case .bind(let source): return bind(source, mount.target, readOnly: mount.readOnly)
        case .tmpfs(let size, let mode):
            var options = ["nosuid", "nodev", "noexec", mount.readOnly ? "ro" : "rw"]
            if let size { options.append("size=\(size.rawValue)") }
            options.append("mode=\(String(mode ?? 0o1777, radix: 8))")
            return Mount(destination: mount.target, type: "tmpfs", source: "tmpfs", options: options)
        }
    }

    private static func bind(_ source: String, _ target: String, readOnly: Bool) -> Mount {
        Mount(
            destination: target, type: "bind", source: source,
            options: ["rbind", "rprivate", readOnly ? "ro" : "rw"])
    }

    private static func resources(_ limits: ContainerLimits?) -> Resources {
        var resources = Resources(devices: devices)
        guard let limits else { return resources }
        let memory = Memory(
            limit: limits.memory?.rawValue, reservation: limits.memoryReservation?.rawValue, swap: limits.memoryAndSwap)
        if memory != Memory() { resources.memory = memory }
        let processors = Processors(
            quota: limits.cpuQuota, period: limits.cpuPeriod, shares: limits.cpuShares, cpus: limits.cpuset)
        if processors != Processors() { resources.cpu = processors }
        resources.pids = limits.processes.map(ProcessCount.init)
        return resources
    }

    private static func standardMounts(sharedMemory: ByteCount?) -> [Mount] {
        let size = (sharedMemory ?? ByteCount(64 << 20)).rawValue
        return [
            Mount(destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]),
            Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm",
                options: ["nosuid", "noexec", "nodev", "mode=1777", "size=\(size)"]),
            Mount(
                destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
            Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]),
            Mount(
                destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                options: ["nosuid", "noexec", "nodev", "relatime", "ro"]),
        ]
    }

    /// Docker's: the usual character devices, terminals, and `mknod` of anything, which opens nothing.
    private static let devices: [DeviceRule] = {
        func allow(_ major: Int?, _ minor: Int?, _ access: String = "rwm") -> DeviceRule {
            DeviceRule(allow: true, type: "c", major: major, minor: minor, access: access)
        }
        return [
            DeviceRule(allow: false, access: "rwm"), allow(nil, nil, "m"),
            DeviceRule(allow: true, type: "b", access: "m"),
            allow(1, 3), allow(1, 5), allow(1, 7), allow(1, 8), allow(1, 9), allow(5, 0), allow(5, 2), allow(136, nil),
        ]
    }()

    /// Docker's: any user may listen on low ports and ping, which in a network namespace of one's own harms nobody.
    private static func sysctls(_ spec: ContainerSpec) -> [String: String] {
        var settings = ["net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"]
        // Those of another's network are the other's.
        if spec.namespaces?[.network] != nil { settings = [:] }
        if let domain = spec.domainname { settings["kernel.domainname"] = domain }
        return settings
    }

    private static let maskedPaths = [
        "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
    ]
    private static let readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
}

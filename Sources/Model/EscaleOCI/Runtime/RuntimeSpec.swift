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
        var apparmorProfile: String?

        /// The container's first process; its init, where it has one, is not yet in the arguments.
        package init(_ spec: ContainerSpec) {
            terminal = spec.terminal
            user = User(uid: spec.user, gid: spec.group, additionalGids: spec.additionalGroups)
            args = spec.arguments
            env = spec.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            cwd = spec.workingDirectory
            capabilities = CapabilitySets(
                bounding: spec.capabilities, effective: spec.capabilities, permitted: spec.capabilities)
            noNewPrivileges = spec.confinement?.noNewPrivileges ?? false
            apparmorProfile = spec.confinement?.appArmorProfile
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

    package struct Device: Codable, Hashable, Sendable {
        var path: String
        var type: String
        var major: Int
        var minor: Int
        var fileMode: UInt32
        var uid: UInt32
        var gid: UInt32
    }

    package struct Linux: Codable, Hashable, Sendable {
        var cgroupsPath: String
        var namespaces: [Namespace]
        var devices: [Device]?
        var resources: Resources
        var sysctl: [String: String]
        var seccomp: SeccompFilter?
        var maskedPaths: [String]
        var readonlyPaths: [String]
        var rootfsPropagation: String?
    }

    var ociVersion = "1.0.2"
    var process: Process
    var root: Root
    var hostname: String?
    var mounts: [Mount]
    var linux: Linux

    /// The container as Docker would set it up: same mounts, devices, masked paths, capabilities and seccomp profile.
    ///
    /// - Parameters:
    ///   - cgroup: the cgroup's path below each hierarchy's root.
    ///   - files: host files that stand for ones of the container, such as `/etc/resolv.conf`, by target.
    ///   - profile: the usual seccomp profile; `nil` for none.
    ///   - nodes: the host's devices at each path that the specification names; of a privileged container, all at `/dev`.
    package init(
        _ spec: ContainerSpec, rootPath: String, cgroup: String, files: [String: String], profile: SeccompProfile?,
        nodes: [String: [DeviceNode]] = [:]
    ) {
        process = Process(spec)
        let confinement = spec.confinement ?? Confinement()
        var mounts = Self.standardMounts(sharedMemory: spec.limits?.sharedMemory, confinement)
        // Whoever brings one has that; what is mounted over another one can't be taken away again.
        if spec.hasSharedMemory == false || spec.mounts.contains(where: { $0.target == "/dev/shm" }) {
            mounts.removeAll { $0.destination == "/dev/shm" }
        }
        if let program = spec.initProgram {
            process.args = [Self.initPath, "--"] + process.args
            mounts.append(Self.bind(program, Self.initPath, readOnly: true))
        }
        let own = files.sorted { $0.key < $1.key }.map { Self.bind($0.value, $0.key, readOnly: spec.readOnlyRoot) }
        mounts += Self.parentsFirst(own + spec.mounts.compactMap(Self.mount))
        root = Root(path: rootPath, readonly: spec.readOnlyRoot)
        hostname = spec.namespaces?[.uts] == nil ? spec.hostname : nil
        self.mounts = mounts
        linux = Linux(
            cgroupsPath: cgroup,
            namespaces: Self.namespaces(spec),
            devices: Self.devices(of: spec, nodes),
            resources: Self.resources(spec, nodes),
            sysctl: Self.sysctls(spec),
            seccomp: confinement.profile(usual: profile)?.filter(capabilities: Set(spec.capabilities)),
            maskedPaths: confinement.isOpen ? [] : Self.maskedPaths,
            readonlyPaths: confinement.isOpen ? [] : Self.readonlyPaths,
            rootfsPropagation: spec.propagation == .own ? nil : spec.propagation.rawValue)
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
        case .file, .prepared: return nil
        case .bind(let source):
            let readOnly = mount.isReadOnlyBelow == true ? "rro" : "ro"
            return Mount(
                destination: mount.target, type: "bind", source: source,
                options: (mount.options ?? ["rbind", "rprivate"]) + [mount.readOnly ? readOnly : "rw"])
        case .tmpfs(let size, let mode):
            var options = ["nosuid", "nodev", "noexec", mount.readOnly ? "ro" : "rw"]
            if let size { options.append("size=\(size.rawValue)") }
            options.append("mode=\(String(mode ?? 0o1777, radix: 8))")
            for word in mount.options ?? [] {
                options.removeAll { excludes($0, word) }
                options.append(word)
            }
            return Mount(destination: mount.target, type: "tmpfs", source: "tmpfs", options: options)
        }
    }

    /// Whether of two words of mount(8) only one can hold: `exec` and `noexec`, `size=1m` and `size=2m`.
    private static func excludes(_ one: String, _ other: String) -> Bool {
        func key(_ word: String) -> Substring {
            let name = word.prefix { $0 != "=" }
            return name.hasPrefix("no") && !name.hasPrefix("nr") ? name.dropFirst(2) : name
        }
        return key(one) == key(other)
    }

    private static func bind(_ source: String, _ target: String, readOnly: Bool) -> Mount {
        Mount(
            destination: target, type: "bind", source: source,
            options: ["rbind", "rprivate", readOnly ? "ro" : "rw"])
    }

    private static func standardMounts(sharedMemory: ByteCount?, _ confinement: Confinement) -> [Mount] {
        let system = confinement.isPrivileged ? "rw" : "ro"
        let cgroups = confinement.isPrivileged || confinement.writesCgroups ? "rw" : "ro"
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
            Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", system]),
            Mount(
                destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                options: ["nosuid", "noexec", "nodev", "relatime", cgroups]),
        ]
    }
}

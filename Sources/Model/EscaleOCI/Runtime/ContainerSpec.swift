package import EscaleCore

/// Everything that makes a container what it is, decided: numbers instead of names, absolute paths, final lists.
package struct ContainerSpec: Codable, Hashable, Sendable {
    package struct Mount: Codable, Hashable, Sendable {
        package enum Kind: Codable, Hashable, Sendable {
            /// A file or directory of the host.
            case bind(source: String)
            case tmpfs(size: ByteCount?, mode: UInt32?)
            /// A file made for the container. Whoever runs it writes the file and makes this a ``bind(source:)``.
            case file(ProvidedFile)
            /// What is mounted for the container alone. Whoever runs it mounts it and makes this a ``bind(source:)``.
            case prepared(PreparedMount)
        }

        package var kind: Kind
        package var target: String
        package var readOnly: Bool
        /// Of a bind mount: the runtime's words besides `rw` or `ro`, `rbind` and `rprivate` for `nil`. Of a tmpfs: words that
        /// take the place of the usual ones.
        package var options: [String]?
        /// Whether also what is mounted below a read-only bind mount can't be written; `nil` for not.
        package var isReadOnlyBelow: Bool?

        package init(_ kind: Kind, target: String, readOnly: Bool = false) {
            self.kind = kind
            self.target = target
            self.readOnly = readOnly
        }
    }

    package var id: ContainerID
    package var arguments: [String]
    package var environment: [String: String]
    package var workingDirectory: String
    package var user: UInt32
    package var group: UInt32
    package var additionalGroups: [UInt32]
    package var hostname: String
    /// The NIS domain; `nil` for none.
    package var domainname: String?
    /// In the order of their targets' depth is made by ``RuntimeSpec``; here as given.
    package var mounts: [Mount] = []
    package var readOnlyRoot = false
    package var terminal = false
    /// Full names, `CAP_…`.
    package var capabilities: [String] = Capabilities.standard
    package var limits: ContainerLimits?
    /// Whose namespaces it is in, where they are not its own.
    package var namespaces: [NamespaceKind: NamespaceOwner]?
    /// Kernel parameters of its own namespaces, over the usual ones.
    package var sysctls: [String: String]?
    /// `nil` for the usual one.
    package var confinement: Confinement?
    /// Devices of the host besides the standard ones.
    package var devices: [HostDevice]?
    /// Whether it has a `/dev/shm`; `nil` for yes.
    package var hasSharedMemory: Bool?
    /// Whether it sees its own control group as the root of all; `nil` for the host's view.
    package var hasCgroupNamespace: Bool?
    /// Host path of a static init to run as the first process.
    package var initProgram: String?

    package init(
        id: ContainerID, arguments: [String], environment: [String: String] = [:], workingDirectory: String = "/",
        user: UInt32 = 0, group: UInt32 = 0, additionalGroups: [UInt32] = [], hostname: String = ""
    ) {
        self.id = id
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
        self.group = group
        self.additionalGroups = additionalGroups
        self.hostname = hostname
    }
}

/// A file that a container is given, with an owner and permissions of its own.
package struct ProvidedFile: Codable, Hashable, Sendable {
    package enum Contents: Codable, Hashable, Sendable {
        case text(String)
        /// A host file, read anew at every start.
        case copy(of: String)
    }

    package var contents: Contents
    package var user: UInt32
    package var group: UInt32
    package var mode: UInt32

    package init(_ contents: Contents, user: UInt32 = 0, group: UInt32 = 0, mode: UInt32 = 0o444) {
        self.contents = contents
        self.user = user
        self.group = group
        self.mode = mode
    }
}

/// Linux capabilities by their names.
package enum Capabilities {
    /// What Docker gives a container by default.
    package static let standard = [
        "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
        "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
        "CAP_SYS_CHROOT",
    ]

    /// Every capability of Linux 6.1, each at the place of its bit.
    package static let all = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
        "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ]

    /// Those whose bits are set, such as in `/proc/self/status`.
    package static func named(in mask: UInt64) -> [String] {
        all.indices.filter { mask & (1 << UInt64($0)) != 0 }.map { all[$0] }
    }

    /// The default set with `cap_drop` taken away, then `cap_add` added; `ALL` stands for all, as in Docker.
    ///
    /// - Parameter available: what there is to give, so what `ALL` adds.
    /// - Throws: `input.invalid` for a name that is no capability.
    package static func resolved(
        adding added: [String], dropping dropped: [String], of available: [String] = all
    ) throws(EscaleError) -> [String] {
        var set = Set(standard)
        for name in dropped.map(fullName) {
            if name == "CAP_ALL" { set = [] } else { set.remove(try known(name)) }
        }
        for name in added.map(fullName) {
            if name == "CAP_ALL" { set.formUnion(available) } else { set.insert(try known(name)) }
        }
        // A capability that is both added with ALL and dropped by name stays dropped.
        if added.map(fullName).contains("CAP_ALL") { set.subtract(dropped.map(fullName)) }
        return set.sorted()
    }

    private static func fullName(_ name: String) -> String {
        let upper = name.uppercased()
        return upper.hasPrefix("CAP_") ? upper : "CAP_" + upper
    }

    private static func known(_ name: String) throws(EscaleError) -> String {
        guard all.contains(name) else {
            throw EscaleError(.invalidInput, "\(name) is no Linux capability", hint: "see capabilities(7) for the names")
        }
        return name
    }
}

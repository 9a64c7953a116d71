/// How far a container is kept apart from its machine, where that is not as usual.
package struct Confinement: Codable, Hashable, Sendable {
    package enum SystemCalls: Codable, Hashable, Sendable {
        /// The engine's profile.
        case standard
        /// Whatever the kernel has.
        case any
        case profile(SeccompProfile)
    }

    /// Every device and every system call, nothing masked or read-only. Capabilities are ``ContainerSpec/capabilities``.
    package var isPrivileged = false
    package var systemCalls = SystemCalls.standard
    /// Whether no program gives its caller more than the caller has, such as by set-user-ID.
    package var noNewPrivileges = false
    package var appArmorProfile: String?
    /// Whether `/proc` and `/sys` are as they are, nothing masked or read-only.
    package var showsSystemPaths = false
    package var writesCgroups = false
    /// More rules about devices, such as `c 1:3 mr`.
    package var deviceRules: [String] = []

    package init() {}
}

/// A device of the host in a container.
package struct HostDevice: Codable, Hashable, Sendable {
    /// On the host; a directory stands for all devices in it.
    package var source: String
    package var target: String
    /// Some of `rwm`.
    package var access: String

    package init(source: String, target: String, access: String) {
        self.source = source
        self.target = target
        self.access = access
    }
}

/// A device file as it is on the host.
package struct DeviceNode: Hashable, Sendable {
    package enum Kind: String, Sendable {
        case character = "c"
        case block = "b"
    }

    /// Absolute.
    package var path: String
    package var kind: Kind
    package var major: Int
    package var minor: Int
    /// Permissions.
    package var mode: UInt32
    package var user: UInt32
    package var group: UInt32

    package init(path: String, kind: Kind, major: Int, minor: Int, mode: UInt32, user: UInt32, group: UInt32) {
        self.path = path
        self.kind = kind
        self.major = major
        self.minor = minor
        self.mode = mode
        self.user = user
        self.group = group
    }
}

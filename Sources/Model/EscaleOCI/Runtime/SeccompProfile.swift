import EscaleCore

/// A seccomp profile in the form that container engines share (`/usr/share/containers/seccomp.json`).
package struct SeccompProfile: Codable, Hashable, Sendable {
    struct Condition: Codable, Hashable, Sendable {
        var caps: [String]?
        var arches: [String]?
    }

    struct Rule: Codable, Hashable, Sendable {
        var names: [String]?
        /// The older form of one name.
        var name: String?
        var action: String
        var args: [SeccompFilter.Argument]?
        var includes: Condition?
        var excludes: Condition?
        var errnoRet: UInt32?
    }

    struct Architecture: Codable, Hashable, Sendable {
        var architecture: String
        var subArchitectures: [String]?
    }

    var defaultAction: String
    var defaultErrnoRet: UInt32?
    var archMap: [Architecture]?
    /// The older form of ``archMap``.
    var architectures: [String]?
    var flags: [String]?
    var syscalls: [Rule]?

    /// The profile for one container on this machine's architecture: rules that its capabilities don't ask for left out.
    func filter(capabilities: Set<String>) -> SeccompFilter {
        let own = HostArchitecture.current
        let rules = (syscalls ?? []).filter { rule in
            rule.includes.map { condition in
                (condition.arches.map { $0.contains(own.goName) } ?? true)
                    && (condition.caps.map { capabilities.isSuperset(of: $0) } ?? true)
            } ?? true
                && !(rule.excludes.map { condition in
                    (condition.arches?.contains(own.goName) ?? false)
                        || (condition.caps.map { !capabilities.isDisjoint(with: $0) } ?? false)
                } ?? false)
        }
        let map = archMap?.first { $0.architecture == own.seccompName }
        // Without rules for x32, which Debian's kernels don't serve, its calls are refused as of a foreign architecture;
        // compiling them would take the runtime a quarter of a container's start.
        let others = (map?.subArchitectures ?? []).filter { $0 != "SCMP_ARCH_X32" }
        return SeccompFilter(
            defaultAction: defaultAction, defaultErrnoRet: defaultErrnoRet,
            architectures: archMap == nil ? architectures ?? [] : [own.seccompName] + others, flags: flags,
            syscalls: rules.map {
                SeccompFilter.Rule(
                    names: ($0.names ?? []) + [$0.name].compactMap(\.self), action: $0.action, errnoRet: $0.errnoRet,
                    args: $0.args)
            })
    }
}

/// `linux.seccomp` of the OCI runtime specification.
package struct SeccompFilter: Codable, Hashable, Sendable {
    struct Argument: Codable, Hashable, Sendable {
        var index: UInt32
        var value: UInt64
        var valueTwo: UInt64?
        var op: String
    }

    struct Rule: Codable, Hashable, Sendable {
        var names: [String]
        var action: String
        var errnoRet: UInt32?
        var args: [Argument]?
    }

    var defaultAction: String
    var defaultErrnoRet: UInt32?
    var architectures: [String]
    var flags: [String]?
    var syscalls: [Rule]
}

/// The machine's architecture under the names that specifications give it.
package enum HostArchitecture: Sendable {
    case x86_64, arm64

    #if arch(arm64)
        package static let current = HostArchitecture.arm64
    #else
        package static let current = HostArchitecture.x86_64
    #endif

    /// As Go and the OCI image specification say it.
    package var goName: String {
        switch self {
        case .x86_64: "amd64"
        case .arm64: "arm64"
        }
    }

    var seccompName: String {
        switch self {
        case .x86_64: "SCMP_ARCH_X86_64"
        case .arm64: "SCMP_ARCH_AARCH64"
        }
    }
}

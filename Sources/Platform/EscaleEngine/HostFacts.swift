package import EscaleCore
package import EscaleOCI
import EscaleSystem
import FoundationEssentials

/// What this host offers to run containers with; found out once, at start.
package struct HostFacts: Sendable {
    /// How the kernel's control groups are mounted.
    package enum CgroupLayout: String, Sendable {
        case v1
        case v2
        /// v1 hierarchies, and a v2 one beside them that controls nothing; crun refuses it as long as it sees it.
        case hybrid
    }

    package let runtime: String
    package let conmon: String
    package let cgroups: CgroupLayout
    /// Whether the kernel can limit what a control group has in swap.
    package let countsSwap: Bool
    package let seccomp: SeccompProfile?
    /// Host path of a static init; `nil` where none is installed.
    package let initProgram: String?

    package init(
        runtime: String, conmon: String, cgroups: CgroupLayout, countsSwap: Bool, seccomp: SeccompProfile? = nil,
        initProgram: String? = nil
    ) {
        self.runtime = runtime
        self.conmon = conmon
        self.cgroups = cgroups
        self.countsSwap = countsSwap
        self.seccomp = seccomp
        self.initProgram = initProgram
    }

    /// Mount points that an OCI runtime must not see.
    package var hiddenMounts: [String] {
        switch cgroups {
        case .v1, .v2: []
        case .hybrid: ["/sys/fs/cgroup/unified"]
        }
    }

    /// Looks around. Blocks.
    ///
    /// - Parameter environment: `ESCALE_RUNTIME` names another OCI runtime than crun, else runc.
    /// - Throws: `host.missing-package` with the package's name.
    package static func detect(environment: [String: String]) throws(EscaleError) -> HostFacts {
        let runtimes = environment["ESCALE_RUNTIME"].map { [$0] } ?? ["crun", "runc"]
        guard let runtime = runtimes.lazy.compactMap(Self.program).first else {
            throw .missingPackage("crun", for: "an OCI runtime")
        }
        guard let conmon = program("conmon") else { throw .missingPackage("conmon", for: "container supervision") }
        return HostFacts(
            runtime: runtime, conmon: conmon, cgroups: cgroupLayout(), countsSwap: countsSwap(), seccomp: try seccompProfile(),
            initProgram: ["/usr/libexec/podman/catatonit", "/usr/bin/catatonit", "/usr/bin/tini-static"]
                .first(where: Files.exists))
    }

    /// The absolute path of a program in the usual places.
    package static func program(_ name: String) -> String? {
        if name.hasPrefix("/") { return Files.exists(name) ? name : nil }
        return ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .map { "\($0)/\(name)" }.first(where: Files.exists)
    }

    /// The capabilities that this process can give to others: all, but for a machine that is itself a container. Blocks.
    package static func capabilities() -> [String] {
        let line = (try? Files.readText("/proc/self/status"))?.split(separator: "\n").first { $0.hasPrefix("CapBnd:") }
        let mask = line.flatMap { UInt64($0.split(separator: "\t").last ?? "", radix: 16) }
        return mask.map(Capabilities.named) ?? Capabilities.all
    }

    private static func cgroupLayout() -> CgroupLayout {
        if Files.exists("/sys/fs/cgroup/cgroup.controllers") { return .v2 }
        return Files.exists("/sys/fs/cgroup/unified/cgroup.controllers") ? .hybrid : .v1
    }

    private static func countsSwap() -> Bool {
        let root = "/sys/fs/cgroup"
        if Files.exists("\(root)/memory/memory.memsw.limit_in_bytes") { return true }
        // With v2 the root itself has no limits; any group below it shows which there are.
        return ((try? Files.list(root)) ?? []).contains { Files.exists("\(root)/\($0)/memory.swap.max") }
    }

    private static func seccompProfile() throws(EscaleError) -> SeccompProfile? {
        let path = "/usr/share/containers/seccomp.json"
        guard Files.exists(path) else {
            throw .missingPackage("golang-github-containers-common", for: "the default seccomp profile")
        }
        do {
            return try JSONDecoder().decode(SeccompProfile.self, from: Data(try Files.read(path))).withoutNesting
        } catch {
            throw EscaleError(
                .init("host.seccomp-profile"), "the seccomp profile \(path) can't be read: \(error)",
                hint: "reinstall it: apt-get install --reinstall golang-github-containers-common")
        }
    }
}

extension EscaleError {
    /// A program or file of a Debian package isn't there.
    package static func missingPackage(_ package: String, for purpose: String) -> Self {
        Self(
            .init("host.missing-package"), "\(purpose) needs the package \(package), which is not installed",
            hint: "apt-get install \(package)")
    }
}

import EscaleEngine
import EscaleOCI
import FoundationEssentials
import Testing

/// Which of the profile's rules apply to a container.
@Suite struct SeccompTests {
    private func profile() throws -> SeccompProfile {
        try #require(try HostFacts.detect(environment: [:]).seccomp)
    }

    /// What the filter does with a system call: its rules' actions.
    private func actions(_ call: String, _ spec: ContainerSpec) throws -> Set<String> {
        let filter = try #require(try ReadSpec(RuntimeSpec(spec, profile: profile())).linux.seccomp)
        return Set(filter.syscalls.filter { $0.names.contains(call) }.map(\.action))
    }

    private func container(adding capabilities: String...) throws -> ContainerSpec {
        var spec = plain()
        spec.capabilities = try Capabilities.resolved(adding: capabilities, dropping: [])
        return spec
    }

    @Test(arguments: ["read", "execve", "clone", "socket", "chroot", "chown"])
    func ordinaryCallsAreAllowed(call: String) throws {
        #expect(try actions(call, container()).contains("SCMP_ACT_ALLOW"))
    }

    @Test(arguments: [
        ("bpf", "SYS_ADMIN"), ("fanotify_init", "SYS_ADMIN"), ("init_module", "SYS_MODULE"), ("acct", "SYS_PACCT"),
        ("mount", "SYS_ADMIN"), ("unshare", "SYS_ADMIN"), ("setns", "SYS_ADMIN"), ("clone3", "SYS_ADMIN"), ("iopl", "SYS_RAWIO"), ("settimeofday", "SYS_TIME"), ("open_by_handle_at", "DAC_READ_SEARCH"),
    ]) func aCapabilityOpensItsCalls(call: String, capability: String) throws {
        #expect(try actions(call, container()) == ["SCMP_ACT_ERRNO"])
        #expect(try actions(call, container(adding: capability)) == ["SCMP_ACT_ALLOW"])
        #expect(try actions(call, container(adding: "ALL")) == ["SCMP_ACT_ALLOW"])
    }

    @Test func aDroppedCapabilityClosesThem() throws {
        var spec = plain()
        spec.capabilities = try Capabilities.resolved(adding: [], dropping: ["SYS_CHROOT"])
        #expect(try actions("chroot", spec) == ["SCMP_ACT_ERRNO"])
    }

    @Test func theKernelsKeysAndOtherDangersAreClosed() throws {
        for call in ["keyctl", "add_key", "request_key", "kexec_file_load", "bdflush", "io_uring_nonsense"] {
            #expect(try !actions(call, container(adding: "ALL")).contains("SCMP_ACT_ALLOW"), "\(call)")
        }
    }

    /// Namespaces are asked for by bits of `clone`, which a container without `SYS_ADMIN` must not set.
    @Test func cloneMakesNoNamespaces() throws {
        let filter = try #require(try ReadSpec(RuntimeSpec(container(), profile: profile())).linux.seccomp)
        let rules = filter.syscalls.filter { $0.names.contains("clone") }
        #expect(rules.count == 1 && rules[0].args?.count == 1, "\(rules)")
        let free = try #require(try ReadSpec(RuntimeSpec(container(adding: "SYS_ADMIN"), profile: profile())).linux.seccomp)
        #expect(free.syscalls.contains { $0.names.contains("clone") && $0.args == nil })
    }

    @Test func theFilterIsForThisMachine() throws {
        let filter = try #require(try ReadSpec(RuntimeSpec(plain(), profile: profile())).linux.seccomp)
        #expect(filter.defaultAction == "SCMP_ACT_ERRNO")
        #expect(filter.defaultErrnoRet == 38)
        switch HostArchitecture.current {
        case .x86_64:
            #expect(filter.architectures == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])
            #expect(try actions("arch_prctl", plain()) == ["SCMP_ACT_ALLOW"])
            #expect(try actions("s390_pci_mmio_read", plain()) == [])
        case .arm64:
            #expect(filter.architectures == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"])
            #expect(try actions("arch_prctl", plain()) == [])
        }
    }

    @Test func conditionsAreAllOfTheIncludedAndNoneOfTheExcluded() throws {
        let own = HostArchitecture.current.goName
        let text = """
            {"defaultAction": "D", "syscalls": [
                {"names": ["always"], "action": "A"},
                {"names": ["empty"], "action": "A", "includes": {}, "excludes": {}},
                {"names": ["both"], "action": "A", "includes": {"caps": ["CAP_CHOWN", "CAP_SYS_ADMIN"]}},
                {"names": ["one"], "action": "A", "includes": {"caps": ["CAP_CHOWN"]}},
                {"names": ["without"], "action": "A", "excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"]}},
                {"names": ["unless-admin"], "action": "A", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
                {"names": ["here"], "action": "A", "includes": {"arches": ["\(own)", "vax"]}},
                {"names": ["elsewhere"], "action": "A", "includes": {"arches": ["vax"]}},
                {"names": ["not-here"], "action": "A", "excludes": {"arches": ["\(own)"]}},
                {"names": ["admin-here"], "action": "A", "includes": {"arches": ["\(own)"], "caps": ["CAP_SYS_ADMIN"]}}
            ]}
            """
        let profile = try JSONDecoder().decode(SeccompProfile.self, from: Data(text.utf8))
        func names(_ spec: ContainerSpec) throws -> [String] {
            try ReadSpec(RuntimeSpec(spec, profile: profile)).linux.seccomp?.syscalls.flatMap(\.names) ?? []
        }
        #expect(try names(container()) == ["always", "empty", "one", "unless-admin", "here"])
        #expect(
            try names(container(adding: "SYS_ADMIN")) == ["always", "empty", "both", "one", "here", "admin-here"])
    }
}

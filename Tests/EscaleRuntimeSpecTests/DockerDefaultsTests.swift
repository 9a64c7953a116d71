import EscaleCore
import EscaleOCI
import Testing

/// Our defaults beside those that Docker documents (moby: `oci/defaults.go`, `oci/caps/defaults.go`, release 20.10 to 24).
@Suite struct DockerDefaultsTests {
    @Test func capabilities() throws {
        let docker: Set = [
            "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
            "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
            "CAP_AUDIT_WRITE",
        ]
        let own = try ReadSpec(RuntimeSpec(plain())).process.capabilities
        for set in [own.bounding, own.effective, own.permitted] { #expect(Set(set) == docker) }
        // Inheritable ones would outlive a change of user (CVE-2022-24769).
        #expect(own.inheritable == nil)
        #expect(own.ambient == nil)
    }

    @Test func everyCapabilityIsOneOfTheKernels() {
        #expect(Capabilities.all.count == 41)
        #expect(Set(Capabilities.all).count == 41)
        #expect(Set(Capabilities.all).isSuperset(of: Capabilities.standard))
    }

    @Test func maskedPaths() throws {
        #expect(
            try Set(ReadSpec(RuntimeSpec(plain())).linux.maskedPaths) == [
                "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
                "/sys/devices/virtual/powercap",
            ])
    }

    @Test func readOnlyPaths() throws {
        #expect(
            try Set(ReadSpec(RuntimeSpec(plain())).linux.readonlyPaths) == [
                "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
            ])
    }

    @Test func sysctls() throws {
        #expect(
            try ReadSpec(RuntimeSpec(plain())).linux.sysctl == [
                "net.ipv4.ping_group_range": "0 2147483647", "net.ipv4.ip_unprivileged_port_start": "0",
            ])
    }

    @Test func mounts() throws {
        let docker: [String: (type: String, options: Set<String>)] = [
            "/proc": ("proc", ["nosuid", "noexec", "nodev"]),
            "/dev": ("tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            "/dev/pts": ("devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            "/sys": ("sysfs", ["nosuid", "noexec", "nodev", "ro"]),
            "/sys/fs/cgroup": ("cgroup", ["ro", "nosuid", "noexec", "nodev"]),
            "/dev/mqueue": ("mqueue", ["nosuid", "noexec", "nodev"]),
            "/dev/shm": ("tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]),
        ]
        let own = try ReadSpec(RuntimeSpec(plain())).mounts
        #expect(Set(own.map(\.destination)) == Set(docker.keys))
        for mount in own {
            let expected = try #require(docker[mount.destination])
            #expect(mount.type == expected.type, "\(mount.destination)")
            #expect(Set(mount.options).subtracting(["relatime"]) == expected.options, "\(mount.destination)")
        }
    }

    @Test func namespacesAndPrivileges() throws {
        let own = try ReadSpec(RuntimeSpec(plain()))
        #expect(Set(own.linux.namespaces.map(\.type)) == ["mount", "network", "uts", "pid", "ipc"])
        #expect(!own.process.noNewPrivileges)
    }

    @Test func devices() throws {
        // What Docker and runc together let through, but for /dev/console (5:1), which is the host's.
        let open: [(Int, Int?)] = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, nil)]
        let own = try ReadSpec(RuntimeSpec(plain())).linux.resources.devices
        #expect(own.first == ReadSpec.Device(allow: false, access: "rwm"))
        let opened = own.filter { $0.allow && $0.major != nil }
        #expect(opened.count == open.count)
        for (major, minor) in open {
            #expect(opened.contains(ReadSpec.Device(allow: true, type: "c", major: major, minor: minor, access: "rwm")))
        }
        // Of all others a node may be made, and not opened.
        #expect(Set(own.filter { $0.allow && $0.major == nil }.map(\.access)) == ["m"])
    }

    @Test(arguments: [
        ([], [], 14), (["ALL"], [], 41), ([], ["ALL"], 0), (["NET_ADMIN"], [], 15), (["net_admin", "CAP_NET_ADMIN"], [], 15),
        (["CHOWN"], ["all"], 1), ([], ["CHOWN", "cap_kill"], 12), (["ALL"], ["SYS_ADMIN"], 40), ([], ["SYS_ADMIN"], 14),
        (["CHOWN"], ["CHOWN"], 14),
    ] as [([String], [String], Int)]) func addedAndDropped(added: [String], dropped: [String], count: Int) throws {
        let result = try Capabilities.resolved(adding: added, dropping: dropped)
        #expect(result.count == count)
        #expect(result == result.sorted())
    }

    @Test func aNameThatIsNoCapabilityIsNamed() {
        for (added, dropped) in [(["SYS_ADMINN"], []), ([], ["SYS_ADMINN"])] as [([String], [String])] {
            let error = #expect(throws: EscaleError.self) { try Capabilities.resolved(adding: added, dropping: dropped) }
            #expect(error?.message == "CAP_SYS_ADMINN is no Linux capability")
        }
    }
}

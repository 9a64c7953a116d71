/// Devices, kernel parameters, and what of `/proc` and `/sys` is hidden.
extension RuntimeSpec {
    /// Docker's: the usual character devices, terminals, and `mknod` of anything, which opens nothing.
    private static let standardDevices: [DeviceRule] = {
        func allow(_ major: Int?, _ minor: Int?, _ access: String = "rwm") -> DeviceRule {
            DeviceRule(allow: true, type: "c", major: major, minor: minor, access: access)
        }
        return [
            DeviceRule(allow: false, access: "rwm"), allow(nil, nil, "m"),
            DeviceRule(allow: true, type: "b", access: "m"),
            allow(1, 3), allow(1, 5), allow(1, 7), allow(1, 8), allow(1, 9), allow(5, 0), allow(5, 2), allow(136, nil),
        ]
    }()

    static func deviceRules(_ spec: ContainerSpec, _ nodes: [String: [DeviceNode]]) -> [DeviceRule] {
        if spec.confinement?.isPrivileged == true { return [DeviceRule(allow: true, access: "rwm")] }
        let own = (spec.devices ?? []).flatMap { device in
            (nodes[device.source] ?? []).map {
                DeviceRule(allow: true, type: $0.kind.rawValue, major: $0.major, minor: $0.minor, access: device.access)
            }
        }
        return standardDevices + own + (spec.confinement?.deviceRules ?? []).compactMap(DeviceRule.init)
    }

    /// The device files to make; those that the runtime makes anyway are left out.
    static func devices(of spec: ContainerSpec, _ nodes: [String: [DeviceNode]]) -> [Device]? {
        let all = spec.confinement?.isPrivileged == true ? [HostDevice(source: "/dev", target: "/dev", access: "rwm")] : []
        var devices: [String: Device] = [:]
        for device in all + (spec.devices ?? []) {
            for node in nodes[device.source] ?? [] {
                let path = device.target + node.path.dropFirst(device.source.count)
                devices[path] = Device(
                    path: path, type: node.kind.rawValue, major: node.major, minor: node.minor, fileMode: node.mode,
                    uid: node.user, gid: node.group)
            }
        }
        for name in ["console", "full", "null", "ptmx", "random", "tty", "urandom", "zero"] { devices["/dev/\(name)"] = nil }
        return devices.isEmpty ? nil : devices.values.sorted { $0.path < $1.path }
    }

    /// Docker's: any user may listen on low ports and ping, which in a network namespace of one's own harms nobody.
    static func sysctls(_ spec: ContainerSpec) -> [String: String] {
        var settings = ["net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"]
        // Those of another's network are the other's.
        if spec.namespaces?[.network] != nil { settings = [:] }
        if let domain = spec.domainname, spec.namespaces?[.uts] == nil { settings["kernel.domainname"] = domain }
        settings.merge(spec.sysctls ?? [:]) { $1 }
        return settings
    }

    static let maskedPaths = [
        "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
    ]
    static let readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
}

extension RuntimeSpec.DeviceRule {
    /// `c 1:3 mr`, with `*` for any number; `nil` for what is none.
    init?(_ text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 3 else { return nil }
        let numbers = parts[1].split(separator: ":").map { Int($0) }
        guard numbers.count == 2 else { return nil }
        self.init(
            allow: true, type: String(parts[0]), major: numbers[0], minor: numbers[1], access: String(parts[2]))
    }
}

extension Confinement {
    /// Whether nothing of `/proc` and `/sys` is masked or read-only.
    var isOpen: Bool { isPrivileged || showsSystemPaths }

    /// The profile that holds, given the engine's; `nil` for none. As in Docker, a privileged container has none.
    func profile(usual: SeccompProfile?) -> SeccompProfile? {
        switch systemCalls {
        case _ where isPrivileged, .any: nil
        case .standard: usual
        case .profile(let profile): profile
        }
    }
}

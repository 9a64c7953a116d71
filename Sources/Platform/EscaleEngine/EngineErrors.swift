package import EscaleCore

extension EscaleError.Code {
    /// A service asks for what this machine can't do.
    package static let settingRefused = Self("container.setting-refused")
}

extension EscaleError {
    /// The OCI runtime refused to do something with a container; its own words say why.
    static func runtimeFailed(_ verb: String, _ name: String, saying output: String) -> Self {
        let words = output.split(separator: "\n").last.map(String.init) ?? "no reason given"
        return Self(
            .init("container.runtime-failed"), "the OCI runtime can't \(verb) container \(name): \(words)",
            hint: "see what it is doing with `escale ps -a` and `escale events`")
    }

    /// Nobody said within the time whether the container could be made.
    static func runtimeHangs(_ name: String, for limit: Duration) -> Self {
        Self(
            .init("container.start-failed"), "container \(name) can't be started: the OCI runtime did nothing for \(limit.composeText)",
            hint: "it was ended; see `escale system logs`, and whether the machine's disk answers")
    }

    /// The container couldn't be made or started; the runtime's own words say why.
    static func startFailed(_ name: String, saying output: String) -> Self {
        let words = output.split(separator: "\n").last.map(String.init) ?? "no reason given"
        if let attribute = attribute(behind: words) {
            return Self(
                .init("container.start-failed"), "container \(name) can't be started: \(words)",
                hint: "this comes of `\(attribute)`: change or remove it")
        }
        let missing = words.contains("not found") || words.contains("No such file or directory")
        return Self(
            .init("container.start-failed"), "container \(name) can't be started: \(words)",
            hint: missing
                ? "check `command` and `entrypoint`: the program has to be in the image"
                : "see `escale logs` and the service's settings in the compose file")
    }

    /// What of a service this machine can't do; said of the service by ``EscaleError/of(_:)``.
    package static func settingRefused(_ attribute: String, _ reason: String, hint: String) -> Self {
        Self(.settingRefused, "\(attribute): \(reason)", hint: hint)
    }

    /// The attribute that a runtime's complaint is about; both crun's and runc's words.
    private static func attribute(behind words: String) -> String? {
        let signs = [
            ("/proc/sys/", "sysctls"), ("sysctl", "sysctls"), ("cpu.rt_", "cpu_rt_runtime"), ("realtime", "cpu_rt_runtime"),
            ("blkio", "blkio_config"), ("io.weight", "blkio_config"), ("io.bfq", "blkio_config"), ("io.max", "blkio_config"),
            ("swappiness", "mem_swappiness"), ("oom_control", "oom_kill_disable"), ("OOM killer", "oom_kill_disable"),
            ("seccomp", "security_opt"), ("apparmor", "security_opt"), ("AppArmor", "security_opt"), ("cpuset", "cpuset"),
            ("RLIMIT", "ulimits"), ("rlimit", "ulimits"), ("memsw", "memswap_limit"), ("memory.", "mem_limit"),
            ("oom_score_adj", "oom_score_adj"), ("mknod", "devices"), ("devices.allow", "device_cgroup_rules"),
        ]
        return signs.first { words.contains($0.0) }?.1
    }

    static func noJournal(_ name: String) -> Self {
        Self(
            .init("logging.no-journal"),
            "container \(name) can't be started: its output is to go to the journal, and this host runs none",
            hint: "run systemd-journald, or use another logging driver, such as json-file")
    }
}

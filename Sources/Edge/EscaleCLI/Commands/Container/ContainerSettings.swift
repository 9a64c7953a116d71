import EscaleCompose
import EscaleCore
import EscaleYAML

/// What `docker run` takes as flags, as a service of a compose file: one reader and one set of errors for both.
struct ContainerSettings: Sendable {
    private enum Value: Sendable {
        case text(String)
        case bool
        case list([String])
    }

    /// By the key's path, such as `healthcheck.interval`.
    private var values: [(path: String, value: Value)] = []
    private var environmentFiles: [String] = []
    private var networks: [String] = []
    private var aliases: [String] = []
    private var address: String?
    private var address6: String?
    private var loggingOptions: [String] = []
    private var noHealthcheck = false
    var restart: String?

    private mutating func set(_ path: String, _ text: String) {
        values.removeAll { $0.path == path }
        values.append((path, .text(text)))
    }

    private mutating func turnOn(_ path: String) {
        values.removeAll { $0.path == path }
        values.append((path, .bool))
    }

    private mutating func append(_ path: String, _ text: String) {
        if let index = values.firstIndex(where: { $0.path == path }), case .list(let items) = values[index].value {
            values[index].value = .list(items + [text])
        } else {
            values.append((path, .list([text])))
        }
    }

    // MARK: Flags

    /// One flag: what it is called, and the key that it stands for.
    private struct Row {
        let long: String
        let short: Character?
        let value: String
        let key: String
        let help: String

        init(_ long: String, _ value: String, _ key: String, _ help: String) { self.init(long, nil, value, key, help) }

        init(_ long: String, _ short: Character?, _ value: String, _ key: String, _ help: String) {
            self.long = long
            self.short = short
            self.value = value
            self.key = key
            self.help = help
        }
    }

    private static let texts = [
        Row("user", "u", "USER", "user", "Run it as this user, or UID:GID"),
        Row("workdir", "w", "DIR", "working_dir", "Run it in this directory of the container"),
        Row("hostname", "h", "NAME", "hostname", "The container's host name"),
        Row("domainname", "NAME", "domainname", "The container's domain name"),
        Row("mac-address", "ADDRESS", "mac_address", "The container's MAC address"),
        Row("stop-signal", "SIGNAL", "stop_signal", "What asks it to end"),
        Row("platform", "OS/ARCH", "platform", "Which of the image's platforms"),
        Row("runtime", "PROGRAM", "runtime", "The OCI runtime"),
        Row("pid", "host|container:NAME", "pid", "Whose processes it sees"),
        Row("ipc", "host|private|shareable|container:NAME", "ipc", "Whose System V IPC it has"),
        Row("uts", "host", "uts", "Whose host name it has"),
        Row("userns", "host", "userns_mode", "Whose user namespace it has"),
        Row("cgroupns", "host|private", "cgroup", "Whose control groups it sees"),
        Row("cgroup-parent", "PATH", "cgroup_parent", "The control group above its own"),
        Row("shm-size", "SIZE", "shm_size", "The size of /dev/shm"),
        Row("memory", "m", "SIZE", "mem_limit", "The most memory that it may use"),
        Row("memory-reservation", "SIZE", "mem_reservation", "Memory that it is left when memory is short"),
        Row("memory-swap", "SIZE", "memswap_limit", "Memory and swap together; -1 for no limit"),
        Row("memory-swappiness", "0-100", "mem_swappiness", "How readily its memory is swapped out"),
        Row("cpus", "NUMBER", "cpus", "How many processors' time it may use"),
        Row("cpu-shares", "c", "NUMBER", "cpu_shares", "Its weight among others; 1024 is usual"),
        Row("cpu-period", "MICROSECONDS", "cpu_period", "The period that --cpu-quota counts for"),
        Row("cpu-quota", "MICROSECONDS", "cpu_quota", "Processor time in each period"),
        Row("cpuset-cpus", "LIST", "cpuset", "Which processors it may use"),
        Row("pids-limit", "NUMBER", "pids_limit", "The most processes; -1 for no limit"),
        Row("oom-score-adj", "NUMBER", "oom_score_adj", "How readily it is ended when memory runs out"),
        Row("blkio-weight", "10-1000", "blkio_config.weight", "Its weight at block devices"),
        Row("health-interval", "DURATION", "healthcheck.interval", "How often it is checked"),
        Row("health-timeout", "DURATION", "healthcheck.timeout", "How long a check may take"),
        Row("health-retries", "NUMBER", "healthcheck.retries", "How many failures in a row make it unhealthy"),
        Row("health-start-period", "DURATION", "healthcheck.start_period", "For how long failures don't count"),
        Row("health-start-interval", "DURATION", "healthcheck.start_interval", "How often it is checked before that"),
        Row("log-driver", "NAME", "logging.driver", "Where its output goes"),
    ]

    private static let lists = [
        Row("volume", "v", "SOURCE:TARGET[:MODE]", "volumes", "Mount a directory or a volume (repeatable)"),
        Row("tmpfs", "DIR[:OPTIONS]", "tmpfs", "Mount memory (repeatable)"),
        Row("publish", "p", "[HOST:]PORT", "ports", "Publish a port (repeatable)"),
        Row("expose", "PORT", "expose", "Say that it listens there (repeatable)"),
        Row("label", "l", "NAME=VALUE", "labels", "Put a label on it (repeatable)"),
        Row("annotation", "NAME=VALUE", "annotations", "Put an annotation on it (repeatable)"),
        Row("add-host", "NAME:ADDRESS", "extra_hosts", "One more line of /etc/hosts (repeatable)"),
        Row("dns", "ADDRESS", "dns", "A name server besides (repeatable)"),
        Row("dns-search", "DOMAIN", "dns_search", "A domain to search (repeatable)"),
        Row("dns-option", "OPTION", "dns_opt", "An option of the resolver (repeatable)"),
        Row("cap-add", "NAME", "cap_add", "Add a capability (repeatable)"),
        Row("cap-drop", "NAME", "cap_drop", "Drop a capability (repeatable)"),
        Row("security-opt", "OPTION", "security_opt", "seccomp=…, no-new-privileges and the like (repeatable)"),
        Row("device", "PATH[:TARGET[:rwm]]", "devices", "Give it a device (repeatable)"),
        Row("device-cgroup-rule", "RULE", "device_cgroup_rules", "Allow devices (repeatable)"),
        Row("group-add", "GROUP", "group_add", "Add a group to its process (repeatable)"),
        Row("sysctl", "NAME=VALUE", "sysctls", "Set a kernel parameter of its own (repeatable)"),
        Row("volumes-from", "CONTAINER", "volumes_from", "Mount what another one has (repeatable)"),
    ]

    private static let switches = [
        Row("init", "", "init", "Let a small init be its first process"),
        Row("read-only", "", "read_only", "Let it write nothing but its volumes"),
        Row("privileged", "", "privileged", "Give it all capabilities and devices"),
        Row("oom-kill-disable", "", "oom_kill_disable", "Don't end its processes when its memory runs out"),
    ]

    typealias Flags = [Flag<ContainerRun.Options>]

    static let flags: Flags = simple + others

    private static let simple: Flags = {
        var flags: Flags = texts.map { row in
            .value(row.long, row.short, row.value, row.help) { $0.settings.set(row.key, $1) }
        }
        flags += lists.map { row in
            .value(row.long, row.short, row.value, row.help) { $0.settings.append(row.key, $1) }
        }
        flags += switches.map { row in toggle(row.long, row.help) { $0.turnOn(row.key) } }
        return flags
    }()

    private static let others: Flags = [
        .value("env", "e", "NAME=VALUE", "Set an environment variable (repeatable)") { $0.settings.append("environment", $1) },
        .value("env-file", nil, "FILE", "Set the variables that the file has (repeatable)") {
            $0.settings.environmentFiles.append($1)
        },
        .value("entrypoint", nil, "COMMAND", "Instead of the image's entrypoint") { $0.settings.append("entrypoint", $1) },
        .value("network", nil, "NAME|none|host|container:NAME", "The networks it is on (repeatable)") {
            $0.settings.networks.append($1)
        },
        .value("network-alias", nil, "NAME", "Another name of it there (repeatable)") { $0.settings.aliases.append($1) },
        .value("ip", nil, "ADDRESS", "Its address there") { $0.settings.address = $1 },
        .value("ip6", nil, "ADDRESS", "Its IPv6 address there") { $0.settings.address6 = $1 },
        .value("restart", nil, "no|on-failure[:N]|always|unless-stopped", "When it is started again") {
            $0.settings.restart = $1
            $0.settings.set("restart", $1)
        },
        .value("stop-timeout", nil, "SECONDS", "How long it may take to end") {
            $0.settings.set("stop_grace_period", "\(try Values.count($1, from: 0))s")
        },
        .value("health-cmd", nil, "COMMAND", "What checks it") { $0.settings.set("healthcheck.test", $1) },
        toggle("no-healthcheck", "Don't check it, whatever its image says") { $0.noHealthcheck = true },
        .value("log-opt", nil, "NAME=VALUE", "An option of the log driver (repeatable)") { $0.settings.loggingOptions.append($1) },
        .value("ulimit", nil, "NAME=SOFT[:HARD]", "A limit of each process (repeatable)") { $0.settings.append("ulimits", $1) },
    ]

    private static func toggle(
        _ long: String, _ help: String, _ change: @escaping @Sendable (inout ContainerSettings) -> Void
    ) -> Flag<ContainerRun.Options> {
        Flag(info: FlagInfo(long: long, short: nil, value: nil, help: help)) { options, text in
            // `=false` is what it is without the flag.
            if try Flag<ContainerRun.Options>.isOn(text) { change(&options.settings) }
        }
    }

    // MARK: As a compose file

    /// - Parameters:
    ///   - fixed: keys and values besides.
    /// - Throws: `usage` for what no compose file could say.
    func composeFile(
        _ name: String, image: String, command: [String], fixed: [YAMLValue.Member], in session: Session
    ) throws -> YAMLValue {
        var tree = Members()
        tree.put(["image"], YAMLValue.literal(image))
        if !command.isEmpty { tree.put(["command"], .list(command.map(YAMLValue.literal))) }
        for member in fixed { tree.put([member.key], member.value) }
        for (path, value) in values {
            let keys = path.split(separator: ".").map(String.init)
            switch (path, value) {
            case ("environment", .list(let items)):
                let pairs = try items.compactMap { item -> String? in
                    let (name, value) = try Values.assignment(item, environment: session.environment)
                    return value.map { "\(name)=\($0)" }
                }
                tree.put(keys, .list(pairs.map(YAMLValue.literal)))
            case ("entrypoint", .list(let items)):
                tree.put(keys, .list(items.last.map { [YAMLValue.literal($0)] } ?? []))
                if command.isEmpty { tree.put(["command"], .list([])) }
            case ("ulimits", .list(let items)): tree.put(keys, .map(try items.map(Self.ulimit)))
            case ("volumes_from", .list(let items)): tree.put(keys, .list(items.map { YAMLValue.literal("container:\($0)") }))
            case ("volumes", .list(let items)):
                tree.put(keys, .list(items.map { YAMLValue.literal(ServiceChanges.absolute($0, session)) }))
            case (_, .list(let items)): tree.put(keys, .list(items.map(YAMLValue.literal)))
            case (_, .text(let text)): tree.put(keys, YAMLValue.literal(text))
            case (_, .bool): tree.put(keys, .bool(true))
            }
        }
        if !environmentFiles.isEmpty { tree.put(["env_file"], .list(environmentFiles.map { YAMLValue.literal(session.clean($0)) })) }
        if noHealthcheck { tree.put(["healthcheck", "disable"], .bool(true)) }
        if !loggingOptions.isEmpty {
            for option in loggingOptions {
                let (name, value) = try Values.assignment(option, environment: [:])
                tree.put(["logging", "options", name], YAMLValue.literal(value ?? ""))
            }
        }
        return try withNetworks(&tree, name)
    }

    private func withNetworks(_ tree: inout Members, _ name: String) throws -> YAMLValue {
        var top: [YAMLValue.Member] = [.init("name", .string("containers"))]
        let modes = networks.filter { ["none", "host"].contains($0) || $0.hasPrefix("container:") }
        let named = networks.filter { !modes.contains($0) && $0 != "default" && $0 != "bridge" }
        guard modes.count + named.count <= 1 || modes.isEmpty else {
            throw EscaleError(.usage, "--network \(modes[0]) can't be given beside others", hint: "give one of them")
        }
        if let mode = modes.first {
            tree.put(["network_mode"], .string(mode))
        } else {
            for network in named.isEmpty ? ["default"] : named {
                if !aliases.isEmpty { tree.put(["networks", network, "aliases"], .list(aliases.map(YAMLValue.literal))) }
                if let address { tree.put(["networks", network, "ipv4_address"], .string(address)) }
                if let address6 { tree.put(["networks", network, "ipv6_address"], .string(address6)) }
                if aliases.isEmpty && address == nil && address6 == nil { tree.put(["networks", network], .null) }
            }
        }
        var networks: [YAMLValue.Member] = named.map { .init($0, .map([.init("external", .bool(true))])) }
        networks.append(.init("default", .map([.init("name", .string("escale_containers"))])))
        top.append(.init("networks", .map(networks)))
        if let volumes = namedVolumes() { top.append(.init("volumes", .map(volumes))) }
        top.append(.init("services", .map([.init(name, tree.value)])))
        return .map(top)
    }

    /// Volumes are called what they are called here, not after a project.
    private func namedVolumes() -> [YAMLValue.Member]? {
        guard let given = values.first(where: { $0.path == "volumes" }), case .list(let items) = given.value else { return nil }
        let names = items.compactMap { item -> String? in
            let source = item.split(separator: ":").first.map(String.init) ?? ""
            return item.contains(":") && !source.contains("/") && !source.hasPrefix(".") && !source.hasPrefix("~") ? source : nil
        }
        return names.isEmpty ? nil : Set(names).sorted().map { .init($0, .map([.init("name", .string($0))])) }
    }

    private static func ulimit(_ text: String) throws(EscaleError) -> YAMLValue.Member {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        let bounds = parts.count == 2 ? parts[1].split(separator: ":").compactMap { Int64($0) } : []
        guard let soft = bounds.first, bounds.count <= 2 else {
            throw EscaleError(.usage, "--ulimit \(text): must be NAME=SOFT[:HARD], such as nofile=1024:4096")
        }
        return .init(parts[0], .map([.init("soft", .int(soft)), .init("hard", .int(bounds.last ?? soft))]))
    }
}

/// A mapping that is put together by paths.
private struct Members {
    private var members: [(key: String, child: Child)] = []

    private indirect enum Child {
        case value(YAMLValue)
        case members(Members)
    }

    var value: YAMLValue {
        .map(
            members.map { key, child in
                switch child {
                case .value(let value): .init(key, value)
                case .members(let members): .init(key, members.value)
                }
            })
    }

    mutating func put(_ path: [String], _ value: YAMLValue) {
        guard let key = path.first else { return }
        let rest = Array(path.dropFirst())
        let index = members.firstIndex { $0.key == key }
        guard !rest.isEmpty else {
            if let index { members[index].child = .value(value) } else { members.append((key, .value(value))) }
            return
        }
        var inner = Members()
        if let index, case .members(let known) = members[index].child { inner = known }
        inner.put(rest, value)
        if let index { members[index].child = .members(inner) } else { members.append((key, .members(inner))) }
    }
}

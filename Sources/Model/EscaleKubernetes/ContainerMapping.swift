import EscaleCompose
import EscaleCore
import EscaleYAML

/// One container of a pod.
extension KubernetesMapping {
    /// The service's own container.
    mutating func container(of service: Service, _ volumes: PodVolumes) -> YAMLValue {
        let probes = probes(of: service)
        let (command, arguments) = words(of: service)
        return .object([
            "name": .string(names.service(service.name)),
            "image": .string(image(of: service)),
            "imagePullPolicy": pullPolicy(of: service),
            "command": command,
            "args": arguments,
            "workingDir": service.workingDirectory.map { .string($0) },
            "env": environment(of: service),
            "ports": containerPorts(of: service),
            "resources": resources(of: service),
            "volumeMounts": YAMLValue.list(volumes.mounts).unlessEmpty,
            "startupProbe": probes.startup,
            "readinessProbe": probes.readiness,
            "livenessProbe": probes.liveness,
            "lifecycle": lifecycle(of: service),
            "securityContext": containerSecurity(of: service),
            "stdin": service.stdinOpen ? true : nil,
            "tty": service.tty ? true : nil,
        ])
    }

    /// The image by its digest where that is known, in the registry where the cluster finds it.
    func image(of service: Service) -> String {
        let name = service.imageName(in: project.name)
        if name.contains("@") { return name }
        var reference = name
        if let registry = options.registry, service.build != nil || !Self.namesRegistry(name) {
            reference = "\(registry)/\(name)"
        }
        guard let digest = images[name]?.digest else { return reference }
        return "\(reference)@\(digest)"
    }

    /// Whether the first part of an image's name is a host, by the rule that Docker made.
    static func namesRegistry(_ image: String) -> Bool {
        guard let slash = image.firstIndex(of: "/") else { return false }
        let first = image[..<slash]
        return first == "localhost" || first.contains(where: { $0 == "." || $0 == ":" })
    }

    private func pullPolicy(of service: Service) -> YAMLValue? {
        switch service.imageSettings?.pullPolicy {
        case .always, .refresh, .daily, .weekly, .every: "Always"
        case .never: "Never"
        case .missing, .build, nil: nil
        }
    }

    // MARK: Words

    /// `command` replaces an image's entrypoint and its command, as `entrypoint` does here; `args` its command alone.
    mutating func words(of service: Service) -> (command: YAMLValue?, arguments: YAMLValue?) {
        func texts(_ words: [String]) -> YAMLValue? {
            YAMLValue.strings(words.map(Self.literal)).unlessEmpty
        }
        if let entrypoint = service.entrypoint {
            guard entrypoint.isEmpty else { return (texts(entrypoint), service.command.flatMap(texts)) }
            return (service.command.flatMap(texts), nil)
        }
        if service.command?.isEmpty == true {
            note(.lost, service, "command", "the image's own command stays: Kubernetes can't clear it without an entrypoint")
        }
        return (nil, service.command.flatMap(texts))
    }

    /// The text as Kubernetes leaves it: it would put variables' values in for `$(NAME)`.
    static func literal(_ text: String) -> String {
        text.contains("$(") ? text.replacing("$(", with: "$$(") : text
    }

    // MARK: Variables

    func environment(of service: Service) -> YAMLValue? {
        let secret = Self.secretVariables(of: service)
        let items = service.environment.sorted { $0.key < $1.key }.map { name, value -> YAMLValue in
            guard secret[name] != nil else {
                return .object(["name": .string(name), "value": .string(Self.literal(value))])
            }
            return .object([
                "name": .string(name),
                "valueFrom": .object([
                    "secretKeyRef": .object(["name": .string(variablesName(of: service)), "key": .string(name)])
                ]),
            ])
        }
        return YAMLValue.list(items).unlessEmpty
    }

    /// The Secret with the variables that nobody else shall read.
    func variablesName(of service: Service) -> String { ObjectNames.label("\(names.service(service.name))-env") }

    /// Variables whose names say that their values are secret, but for those that only name a file.
    static func secretVariables(of service: Service) -> [String: String] {
        service.environment.filter { name, value in isSecret(name, value) }
    }

    private static func isSecret(_ name: String, _ value: String) -> Bool {
        guard !value.isEmpty else { return false }
        let upper = name.uppercased()
        let words = upper.split(separator: "_")
        guard words.last != "FILE", words.last != "PATH" else { return false }
        let telling: Set<Substring> = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "CREDENTIALS", "PASS", "PWD"]
        if words.contains(where: telling.contains) && words.count(where: { $0 == "PWD" }) != words.count { return true }
        if upper.hasSuffix("PASSWORD") || upper.hasSuffix("SECRET") { return true }
        let kinds: Set<Substring> = ["API", "APP", "ACCESS", "PRIVATE", "ENCRYPTION", "SIGNING", "LICENSE"]
        if words.last == "KEY", words.dropLast().contains(where: kinds.contains) { return true }
        return hasPassword(value)
    }

    /// Whether it is a URL with a password in it: `scheme://user:password@host`.
    private static func hasPassword(_ value: String) -> Bool {
        guard let scheme = value.firstRange(of: "://") else { return false }
        let authority = value[scheme.upperBound...].prefix { $0 != "/" }
        guard let at = authority.lastIndex(of: "@") else { return false }
        return authority[..<at].contains(":")
    }

    // MARK: Ports

    private func containerPorts(of service: Service) -> YAMLValue? {
        let ports = self.ports(of: service).map { port in
            YAMLValue.object([
                "name": .string(port.name),
                "containerPort": .number(Int(port.number)),
                "hostPort": port.hostPort.map { .number(Int($0)) },
                "protocol": .string(port.transport),
            ])
        }
        return YAMLValue.list(ports).unlessEmpty
    }

    // MARK: Resources

    private func resources(of service: Service) -> YAMLValue? {
        let (own, deploy) = (service.resources, service.deploy)
        let cpus = deploy?.limits?.cpus ?? own?.cpus ?? own?.cpuCount.map(Double.init) ?? Self.share(own)
        let memory = deploy?.limits?.memory ?? own?.memory
        let reservedCPUs = deploy?.reservations?.cpus ?? own?.cpuShares.map { Double($0) / 1024 }
        let reservedMemory = deploy?.reservations?.memory ?? own?.memoryReservation
        let gpus = graphics(of: service)
        return .filledObject([
            "limits": .filledObject([
                "cpu": cpus.flatMap(Self.processors), "memory": memory.map(Self.quantity), "nvidia.com/gpu": gpus,
            ]),
            "requests": .filledObject([
                "cpu": reservedCPUs.flatMap(Self.processors), "memory": reservedMemory.map(Self.quantity),
            ]),
        ])
    }

    private static func share(_ own: ServiceResources?) -> Double? {
        guard case .at(let quota) = own?.cpuQuota else { return nil }
        let period = own?.cpuPeriod ?? .milliseconds(100)
        return period > .zero ? quota.seconds / period.seconds : nil
    }

    private func graphics(of service: Service) -> YAMLValue? {
        let requests = (service.devices?.gpus ?? []) + (service.deploy?.reservations?.devices ?? []).filter { $0.capabilities.contains("gpu") }
        guard !requests.isEmpty else { return nil }
        let count = requests.reduce(0) { sum, request in
            if case .number(let number) = request.count { sum + number } else { sum + max(1, request.ids.count) }
        }
        return .number(count)
    }

    /// Thousandths of a processor; `nil` for none.
    private static func processors(_ count: Double) -> YAMLValue? {
        let thousandths = (count * 1000).rounded()
        guard thousandths >= 1, thousandths < 1e9 else { return nil }
        let whole = Int(thousandths)
        return .string(whole % 1000 == 0 ? "\(whole / 1000)" : "\(whole)m")
    }

    /// In the largest unit that holds it whole.
    static func quantity(_ bytes: ByteCount) -> YAMLValue {
        for (shift, unit) in [(30, "Gi"), (20, "Mi"), (10, "Ki")] where bytes.rawValue > 0 && bytes.rawValue & ((1 << shift) - 1) == 0 {
            return .string("\(bytes.rawValue >> shift)\(unit)")
        }
        return .string("\(bytes.rawValue)")
    }
}

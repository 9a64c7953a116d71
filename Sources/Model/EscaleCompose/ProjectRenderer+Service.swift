import EscaleCore
import EscaleYAML

extension ProjectRenderer {
    /// One service, its attributes by name; what has its default is left out, as Docker Compose does.
    static func service(_ service: Service) -> YAMLValue {
        var members = Members()
        members.add("annotations", service.annotations.flatMap(pairs))
        members.add("attach", service.isAttached.map { .bool($0) })
        members.add("build", service.build.map(build))
        members.add("cap_add", list(service.addedCapabilities))
        members.add("cap_drop", list(service.droppedCapabilities))
        members.add("command", commandLine(service.command))
        members.add("configs", service.configs.map { .list($0.map(sharedFile)) })
        members.add("container_name", service.containerName.map(text))
        members.add("depends_on", dependencies(service))
        members.add("deploy", deploy(service))
        members.add("entrypoint", commandLine(service.entrypoint))
        members.add("environment", pairs(service.environment))
        members.add("expose", service.exposed.flatMap(list))
        members.add("healthcheck", service.healthcheck.map(healthcheck))
        members.add("hostname", service.hostname.map(text))
        members.add("image", service.image.map(text))
        members.add("init", flag(service.useInit))
        members.add("labels", pairs(service.labels))
        members.add("networks", service.namespaces?.network == nil ? networks(service) : nil)
        members.add("ports", service.ports.isEmpty ? nil : .list(service.ports.map(port)))
        members.add("profiles", service.profiles.flatMap(list))
        members.add("read_only", flag(service.readOnly))
        members.add("restart", service.deploy?.restart == nil ? restart(service.restart) : nil)
        members.add("secrets", service.secrets.isEmpty ? nil : .list(service.secrets.map(sharedFile)))
        members.add("stdin_open", flag(service.stdinOpen))
        members.add("stop_grace_period", service.stopGracePeriod.map(duration))
        members.add("stop_signal", service.stopSignal.map(text))
        members.add("tty", flag(service.tty))
        members.add("user", service.user.map(text))
        let temporary = service.mounts.compactMap(\.tmpfsItem)
        let mounts = service.mounts.filter { $0.tmpfsItem == nil }
        members.add("tmpfs", temporary.isEmpty ? nil : .list(temporary.map(text)))
        members.add("volumes", mounts.isEmpty ? nil : .list(mounts.map(mount)))
        members.add("working_dir", service.workingDirectory.map(text))
        members.add("x-escale", escale(service))
        if let resources = service.resources { add(resources, to: &members) }
        if let devices = service.devices { add(devices, to: &members) }
        if let security = service.security { add(security, to: &members) }
        if let namespaces = service.namespaces { add(namespaces, to: &members) }
        if let names = service.names { add(names, to: &members) }
        addSurroundings(of: service, to: &members)
        return members.sortedMap
    }

    static func flag(_ value: Bool) -> YAMLValue? { value ? .bool(true) : nil }

    /// `null` where the image decides, as Docker Compose prints it.
    static func commandLine(_ words: [String]?) -> YAMLValue {
        words.map { .list($0.map(text)) } ?? .null
    }

    private static func dependencies(_ service: Service) -> YAMLValue? {
        mapOrNothing(
            service.dependencies.sorted { $0.service < $1.service }.map { dependency in
                var members = Members()
                members.add("condition", .string(dependency.condition.rawValue))
                members.add("restart", flag(dependency.restart))
                members.add("required", .bool(dependency.required))
                return .init(dependency.service.rawValue, members.map)
            }
        )
    }

    private static func healthcheck(_ check: Healthcheck) -> YAMLValue {
        var members = Members()
        switch check.test {
        case .some(.none): members.add("test", .list([.string("NONE")]))
        case .exec(let words): members.add("test", .list([.string("CMD")] + words.map(text)))
        case .shell(let line): members.add("test", .list([.string("CMD-SHELL"), text(line)]))
        case nil: break
        }
        members.add("timeout", check.timeout.map(duration))
        members.add("interval", check.interval.map(duration))
        members.add("retries", check.retries.map { .int(Int64($0)) })
        members.add("start_period", check.startPeriod.map(duration))
        members.add("start_interval", check.startInterval.map(duration))
        return members.map
    }

    private static func port(_ mapping: PortMapping) -> YAMLValue {
        var members = Members()
        members.add("name", mapping.name.map(text))
        members.add("mode", .string(mapping.isOfHost == true ? "host" : "ingress"))
        members.add("host_ip", mapping.hostAddress.map(text))
        members.add("target", .int(Int64(mapping.containerPort)))
        members.add(
            "published",
            mapping.hostPort.map { first in
                .string("\(first)" + (mapping.lastHostPort.map { "-\($0)" } ?? ""))
            }
        )
        members.add("protocol", .string(mapping.transport.rawValue))
        members.add("app_protocol", mapping.applicationProtocol.map { .string($0.rawValue) })
        return members.map
    }

    private static func restart(_ policy: RestartPolicy) -> YAMLValue? {
        switch policy {
        case .no: nil
        case .always: .string("always")
        case .unlessStopped: .string("unless-stopped")
        case .onFailure(let retries): .string(retries.map { "on-failure:\($0)" } ?? "on-failure")
        }
    }
}

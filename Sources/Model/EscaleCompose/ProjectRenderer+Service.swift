import EscaleCore
import EscaleYAML

extension ProjectRenderer {
    /// One service, its attributes by name; what has its default is left out, as Docker Compose does.
    static func service(_ service: Service) -> YAMLValue {
        var members = Members()
        members.add("build", service.build.map(build))
        members.add("cap_add", list(service.addedCapabilities))
        members.add("cap_drop", list(service.droppedCapabilities))
        members.add("command", commandLine(service.command))
        members.add("container_name", service.containerName.map(text))
        members.add("depends_on", dependencies(service))
        members.add("deploy", deploy(service))
        members.add("entrypoint", commandLine(service.entrypoint))
        members.add("environment", pairs(service.environment))
        members.add("healthcheck", service.healthcheck.map(healthcheck))
        members.add("hostname", service.hostname.map(text))
        members.add("image", service.image.map(text))
        members.add("init", flag(service.useInit))
        members.add("labels", pairs(service.labels))
        members.add("networks", networks(service))
        members.add("ports", service.ports.isEmpty ? nil : .list(service.ports.map(port)))
        members.add("profiles", service.profiles.flatMap(list))
        members.add("read_only", flag(service.readOnly))
        members.add("restart", restart(service.restart))
        members.add("secrets", service.secrets.isEmpty ? nil : .list(service.secrets.map(secret)))
        members.add("stdin_open", flag(service.stdinOpen))
        members.add("stop_grace_period", service.stopGracePeriod.map { .string($0.composeText) })
        members.add("stop_signal", service.stopSignal.map(text))
        members.add("tty", flag(service.tty))
        members.add("user", service.user.map(text))
        members.add("volumes", service.mounts.isEmpty ? nil : .list(service.mounts.map(mount)))
        members.add("working_dir", service.workingDirectory.map(text))
        members.add("x-escale", escale(service))
        return members.map
    }

    static func flag(_ value: Bool) -> YAMLValue? { value ? .bool(true) : nil }

    /// `null` where the image decides, as Docker Compose prints it.
    private static func commandLine(_ words: [String]?) -> YAMLValue {
        words.map { .list($0.map(text)) } ?? .null
    }

    private static func build(_ build: Build) -> YAMLValue {
        var members = Members()
        members.add("context", text(build.context))
        members.add("dockerfile", build.dockerfile.map(text))
        members.add("args", pairs(build.arguments))
        members.add("target", build.target.map(text))
        return members.map
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
        members.add("timeout", check.timeout.map { .string($0.composeText) })
        members.add("interval", check.interval.map { .string($0.composeText) })
        members.add("retries", check.retries.map { .int(Int64($0)) })
        members.add("start_period", check.startPeriod.map { .string($0.composeText) })
        members.add("start_interval", check.startInterval.map { .string($0.composeText) })
        return members.map
    }

    private static func networks(_ service: Service) -> YAMLValue? {
        mapOrNothing(
            service.networks.map { attachment in
                .init(
                    attachment.network,
                    list(attachment.aliases).map { .map([.init("aliases", $0)]) } ?? .null
                )
            }
        )
    }

    private static func port(_ mapping: PortMapping) -> YAMLValue {
        var members = Members()
        members.add("name", mapping.name.map(text))
        members.add("mode", .string("ingress"))
        members.add("host_ip", mapping.hostAddress.map(text))
        members.add("target", .int(Int64(mapping.containerPort)))
        members.add("published", mapping.hostPort.map { .string(String($0)) })
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

    private static func secret(_ mount: SecretMount) -> YAMLValue {
        .map([.init("source", text(mount.secret)), .init("target", text(mount.target))])
    }

    private static func mount(_ mount: Mount) -> YAMLValue {
        var members = Members()
        var options: YAMLValue.Member?
        switch mount.source {
        case .bind(let path, let create):
            members.add("type", .string("bind"))
            members.add("source", text(path))
            options = .init("bind", .map([.init("create_host_path", .bool(create))]))
        case .volume(let key):
            members.add("type", .string("volume"))
            members.add("source", text(key))
            options = .init("volume", .map([]))
        case .anonymous:
            members.add("type", .string("volume"))
            options = .init("volume", .map([]))
        case .tmpfs(let size, let mode):
            members.add("type", .string("tmpfs"))
            var inner = Members()
            inner.add("size", size.map { .string(String($0.rawValue)) })
            inner.add("mode", mode.map { .string("0" + String($0, radix: 8)) })
            options = size == nil && mode == nil ? nil : .init("tmpfs", inner.map)
        }
        members.add("target", text(mount.target))
        members.add("read_only", flag(mount.readOnly))
        if let options { members.add(options.key, options.value) }
        return members.map
    }
}

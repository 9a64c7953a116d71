import EscaleCore

/// Networks and what the service waits for.
extension ServiceReader {
    func readNetworks(_ section: Section, into service: inout Service) {
        if let field = section["networks"] {
            if field.isMapping {
                for member in field.members() ?? [] where !member.key.hasPrefix("x-") {
                    attach(member.value, to: member.key, at: member.position, &service)
                }
            } else {
                for item in field.items(hint: "write a list such as [front], or a mapping") ?? [] {
                    if let key = item.filledText() {
                        attach(to: key, at: item.position, &service)
                    }
                }
            }
        }
        if service.networks.isEmpty { service.networks = [NetworkAttachment(network: "default")] }
    }

    /// - Parameter settings: what the long form says.
    private func attach(
        _ settings: Field? = nil,
        to key: String,
        at position: SourcePosition,
        _ service: inout Service
    ) {
        let place = Place.use(.network, key, by: name.rawValue)
        guard context.places[place] == nil else {
            context.error(
                "compose.network.twice",
                "services.\(name).networks names \"\(key)\" twice",
                at: position,
                hint: "remove one of the two"
            )
            return
        }
        context.places[place] = position
        var attachment = NetworkAttachment(network: key)
        if let settings, !settings.isNull, let section = settings.section(.serviceNetwork) {
            attachment.aliases = aliases(section)
            attachment.options = options(section)
            for name in ["ipv4_address", "ipv6_address", "mac_address", "interface_name"] {
                if let field = section[name] { note(field, "networks.\(key).\(name)") }
            }
        }
        service.networks.append(attachment)
    }

    private func options(_ section: Section) -> AttachmentOptions? {
        var options = AttachmentOptions()
        options.ipv4Address = section["ipv4_address"].flatMap { address($0, .v4) }
        options.ipv6Address = section["ipv6_address"].flatMap { address($0, .v6) }
        options.linkLocalAddresses =
            (section["link_local_ips"]?.items(hint: "write a list of addresses") ?? [])
            .compactMap { address($0, nil) }.filled
        options.macAddress = section["mac_address"].flatMap(macAddress)
        options.interfaceName = section["interface_name"].flatMap(interfaceName)
        options.driverOptions = section["driver_opts"]?.options(example: "write key: value").filled
        let priorities = Int(Int32.min)...Int(Int32.max)
        options.priority = section["priority"]?.integer(in: priorities).flatMap { $0 == 0 ? nil : $0 }
        options.gatewayPriority = section["gw_priority"]?.integer(in: priorities).flatMap {
            $0 == 0 ? nil : $0
        }
        return filled(options, unlike: AttachmentOptions())
    }

    private func address(_ field: Field, _ family: HostAddress.Family?) -> String? {
        let example =
            switch family {
            case .v4, nil: "write an address such as 172.28.0.10"
            case .v6: "write an address such as 2001:db8::10"
            }
        guard let text = field.filledText(hint: example) else { return nil }
        if let found = HostAddress.family(of: text), family == nil || found == family { return text }
        let kind = family.map { " \($0 == .v4 ? "IPv4" : "IPv6")" } ?? " IP"
        field.error("compose.address", "\(field.path): \"\(text)\" is no\(kind) address", hint: example)
        return nil
    }

    /// What the kernel allows: up to 15 characters without blanks and slashes.
    private func interfaceName(_ field: Field) -> String? {
        guard let text = field.filledText() else { return nil }
        let isValid =
            text.utf8.count <= 15 && ![".", "..", "lo"].contains(text)
            && !text.unicodeScalars.contains { ["/", ":", "%"].contains($0) || $0.value <= 0x20 }
        if isValid { return text }
        field.error(
            "compose.interface",
            "\(field.path): \"\(text)\" is no name of a network interface",
            hint: "use up to 15 letters and digits, such as eth1"
        )
        return nil
    }

    private func aliases(_ section: Section) -> [String] {
        (section["aliases"]?.items(hint: "write a list such as [api]") ?? []).compactMap { item in
            guard let alias = item.filledText() else { return nil }
            guard ServiceName.accepts(alias) else {
                item.error(
                    "compose.name",
                    "\(item.path): \"\(alias)\" is not a valid name",
                    hint: "use letters, digits, '_', '.' and '-'"
                )
                return nil
            }
            return alias
        }
    }

    func readDependencies(_ section: Section, into service: inout Service) {
        guard let field = section["depends_on"] else { return }
        if field.isMapping {
            for member in field.members() ?? [] where !member.key.hasPrefix("x-") {
                add(dependency(member), at: member.position, &service)
            }
        } else {
            for item in field.items(hint: "write a list such as [db], or db: {condition: service_healthy}")
                ?? []
            {
                if let other = item.filledText() {
                    add(Dependency(ServiceName(rawValue: other)), at: item.position, &service)
                }
            }
        }
    }

    private func add(_ dependency: Dependency, at position: SourcePosition, _ service: inout Service) {
        let place = Place.dependency(of: name.rawValue, on: dependency.service.rawValue)
        guard context.places[place] == nil else {
            context.error(
                "compose.depends-on.twice",
                "services.\(name).depends_on names \"\(dependency.service)\" twice",
                at: position,
                hint: "remove one of the two"
            )
            return
        }
        context.places[place] = position
        service.dependencies.append(dependency)
    }

    private func dependency(_ member: Field.Member) -> Dependency {
        var dependency = Dependency(ServiceName(rawValue: member.key))
        guard !member.value.isNull else { return dependency }
        let conditions = "possible are service_started, service_healthy and service_completed_successfully"
        guard let section = member.value.section(.dependency, hint: conditions) else { return dependency }
        if let field = section["condition"], let text = field.text(hint: conditions) {
            if let condition = Dependency.Condition(rawValue: text) {
                dependency.condition = condition
            } else {
                field.error(
                    "compose.depends-on.condition",
                    "\(field.path): \"\(text)\" is no condition",
                    hint: conditions
                )
            }
        }
        dependency.restart = section["restart"]?.boolean() ?? false
        dependency.required = section["required"]?.boolean() ?? true
        return dependency
    }
}

import EscaleCore

/// Networks and what the service waits for.
extension ServiceReader {
    func readNetworks(_ section: Section, into service: inout Service) {
        if let field = section["networks"] {
            if field.isMapping {
                for member in field.members() ?? [] where !member.key.hasPrefix("x-") {
                    let aliases = member.value.isNull ? [] : aliases(member.value)
                    attach(to: member.key, aliases: aliases, at: member.position, &service)
                }
            } else {
                for item in field.items(hint: "write a list such as [front], or a mapping") ?? [] {
                    if let key = item.filledText() {
                        attach(to: key, aliases: [], at: item.position, &service)
                    }
                }
            }
        }
        if service.networks.isEmpty { service.networks = [NetworkAttachment(network: "default")] }
    }

    private func attach(
        to key: String,
        aliases: [String],
        at position: SourcePosition,
        _ service: inout Service
    ) {
        if service.networks.contains(where: { $0.network == key }) {
            context.error(
                "compose.network.twice",
                "services.\(name).networks names \"\(key)\" twice",
                at: position,
                hint: "remove one of the two"
            )
            return
        }
        context.places[.use(.network, key, by: name.rawValue)] = position
        service.networks.append(NetworkAttachment(network: key, aliases: aliases))
    }

    private func aliases(_ field: Field) -> [String] {
        guard let section = field.section(.serviceNetwork) else { return [] }
        return (section["aliases"]?.items(hint: "write a list such as [api]") ?? []).compactMap { item in
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
        if service.dependencies.contains(where: { $0.service == dependency.service }) {
            context.error(
                "compose.depends-on.twice",
                "services.\(name).depends_on names \"\(dependency.service)\" twice",
                at: position,
                hint: "remove one of the two"
            )
            return
        }
        context.places[.dependency(of: name.rawValue, on: dependency.service.rawValue)] = position
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

import EscaleCore
import EscaleYAML

/// `deploy`, but for the configurations of updates.
extension ServiceReader {
    /// After `restart` and the limits beside `deploy`, with which it may be in conflict.
    func readDeploy(_ section: Section, into service: inout Service) {
        let deploy = section["deploy"]?.filledSection(.deploy)
        readReplicas(section["scale"], deploy, into: &service)
        guard let deploy else { return }
        readUpdates(deploy, into: &service)
        var settings = DeploySettings()
        settings.mode = deploy["mode"]?.choice(of: DeploySettings.Mode.self)
        settings.endpointMode = deploy["endpoint_mode"]?.choice(of: DeploySettings.EndpointMode.self)
        settings.labels = deploy["labels"]?.labels() ?? [:]
        settings.placement = deploy["placement"].flatMap(placement)
        settings.restart = deploy["restart_policy"].flatMap(deployRestart)
        if let resources = deploy["resources"]?.filledSection(.deployResources) {
            settings.limits = resources["limits"].flatMap { limits($0, beside: section, service.resources) }
            settings.reservations = resources["reservations"].flatMap {
                reservations($0, beside: section, service.resources, settings.limits)
            }
        }
        if let restart = settings.restart {
            section["restart"]?.warning(
                "compose.restart.twice",
                "services.\(name).restart has no effect, since deploy.restart_policy says it too",
                hint: "remove one of the two"
            )
            service.restart = restart.policy
        }
        service.deploy = filled(settings, unlike: DeploySettings())
    }

    private func readReplicas(_ scale: Field?, _ deploy: Section?, into service: inout Service) {
        let replicas = deploy?["replicas"]
        let scaleCount = scale?.integer(in: 0...Self.mostReplicas)
        let replicaCount = replicas?.integer(in: 0...Self.mostReplicas)
        if let scale, let scaleCount, let replicaCount, scaleCount != replicaCount {
            scale.error(
                "compose.scale",
                "\(scale.path) is \(scaleCount), but deploy.replicas is \(replicaCount)",
                hint: "both say how many replicas run; remove one of the two"
            )
        }
        service.replicas = replicaCount ?? scaleCount ?? 1
    }

    private func placement(_ field: Field) -> Placement? {
        guard let section = field.section(.placement) else { return nil }
        var placement = Placement()
        placement.constraints =
            section["constraints"]?.filledTexts(hint: "write a list such as [node.role==manager]") ?? []
        let example = "write - spread: node.labels.zone"
        placement.spread = (section["preferences"]?.items(hint: example) ?? []).compactMap {
            $0.section(.placementPreference, hint: example)?.text("spread")
        }
        placement.mostReplicas = section["max_replicas_per_node"]?.integer(in: 0...Self.mostReplicas)
            .flatMap { $0 == 0 ? nil : $0 }
        return filled(placement, unlike: Placement())
    }

    private func deployRestart(_ field: Field) -> DeployRestart? {
        guard let section = field.section(.deployRestart, hint: "write condition: on-failure") else {
            return nil
        }
        var restart = DeployRestart()
        restart.condition = section["condition"]?.choice(of: DeployRestart.Condition.self)
        restart.delay = section["delay"]?.duration()
        restart.mostAttempts = section["max_attempts"]?.integer(in: 0...1_000_000)
        restart.window = section["window"]?.duration()
        if let attempts = section["max_attempts"], restart.mostAttempts ?? 0 > 0,
            restart.condition != .onFailure
        {
            attempts.warning(
                "compose.restart.attempts",
                "\(attempts.path) has no effect with the condition \(restart.condition?.rawValue ?? "any")",
                hint: "attempts are counted with condition: on-failure only"
            )
        }
        return restart
    }

    // MARK: Resources

    private func limits(_ field: Field, beside section: Section, _ own: ServiceResources?) -> DeployLimits? {
        guard let limits = field.section(.limits, hint: "write memory: 512m") else { return nil }
        var result = DeployLimits()
        result.cpus = limits["cpus"]?.processors()
        result.memory = limits["memory"]?.bytes().flatMap { $0.rawValue == 0 ? nil : $0 }
        result.processes = limits["pids"]?.bound(in: 0...Int(Int32.max)).flatMap { $0 == .at(0) ? nil : $0 }
        checkSame(limits["cpus"], result.cpus, as: section["cpus"], own?.cpus)
        checkSame(limits["memory"], result.memory, as: section["mem_limit"], own?.memory)
        checkSame(limits["pids"], result.processes, as: section["pids_limit"], own?.processes)
        return filled(result, unlike: DeployLimits())
    }

    private func reservations(
        _ field: Field,
        beside section: Section,
        _ own: ServiceResources?,
        _ limits: DeployLimits?
    ) -> DeployReservations? {
        guard let reserved = field.section(.reservations, hint: "write memory: 128m") else { return nil }
        var result = DeployReservations()
        result.cpus = reserved["cpus"]?.processors()
        result.memory = reserved["memory"]?.bytes().flatMap { $0.rawValue == 0 ? nil : $0 }
        result.genericResources = genericResources(reserved["generic_resources"])
        result.devices = deviceRequests(reserved["devices"], .reservedDevice)
        checkSame(reserved["memory"], result.memory, as: section["mem_reservation"], own?.memoryReservation)
        checkWithin(reserved["cpus"], result.cpus, limit: limits?.cpus)
        checkWithin(reserved["memory"], result.memory, limit: limits?.memory)
        return filled(result, unlike: DeployReservations())
    }

    /// Two attributes that mean the same must say the same.
    private func checkSame<Value: Equatable>(
        _ field: Field?,
        _ value: Value?,
        as other: Field?,
        _ own: Value?
    ) {
        guard let field, let value, let other, let own, value != own else { return }
        field.error(
            "compose.resources.conflict",
            "\(field.path) and \(other.path) say different things",
            hint: "both mean the same limit; remove one of the two"
        )
    }

    private func checkWithin<Value: Comparable>(_ field: Field?, _ value: Value?, limit: Value?) {
        guard let field, let value, let limit, value > limit else { return }
        field.error(
            "compose.resources.conflict",
            "\(field.path) is more than the limit",
            hint: "what is set aside is a part of the limit; lower the one or raise the other"
        )
    }

    private func genericResources(_ field: Field?) -> [DeployReservations.GenericResource] {
        let example = "write - discrete_resource_spec: {kind: SSD, value: 2}"
        return (field?.items(hint: example) ?? []).compactMap { item in
            guard let spec = item.section(.genericResource, hint: example)?["discrete_resource_spec"],
                let section = spec.section(.discreteResource, hint: example)
            else { return nil }
            for key in ["kind", "value"] where section[key] == nil && !section.misspells(key) {
                spec.error("compose.missing", "\(spec.path) has no `\(key)`", hint: example)
            }
            guard let kind = section.text("kind"),
                let value = section["value"]?.integer(in: 0...Int(Int32.max))
            else {
                return nil
            }
            return .init(kind: kind, value: value)
        }
    }
}

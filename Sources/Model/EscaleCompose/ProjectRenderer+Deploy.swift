import EscaleCore
import EscaleYAML

/// `deploy`.
extension ProjectRenderer {
    static func deploy(_ service: Service) -> YAMLValue? {
        var members = Members()
        let settings = service.deploy ?? DeploySettings()
        members.add("mode", settings.mode.map { .string($0.rawValue) })
        members.add("replicas", service.replicas, unless: 1) { .int(Int64($0)) }
        members.add("labels", pairs(settings.labels))
        members.add("rollback_config", service.rollback.map(update))
        members.add("update_config", service.update.map(update))
        var resources = Members()
        resources.add("limits", settings.limits.map(limits))
        resources.add("reservations", settings.reservations.map(reservations))
        members.add("resources", resources.filledMap)
        members.add("restart_policy", settings.restart.map(restart))
        members.add("placement", settings.placement.map(placement))
        members.add("endpoint_mode", settings.endpointMode.map { .string($0.rawValue) })
        return members.filledMap
    }

    private static func limits(_ limits: DeployLimits) -> YAMLValue {
        var members = Members()
        members.add("cpus", limits.cpus.map(number))
        members.add("memory", limits.memory.map(bytes))
        members.add("pids", limits.processes.map(count))
        return members.map
    }

    private static func reservations(_ reservations: DeployReservations) -> YAMLValue {
        var members = Members()
        members.add("cpus", reservations.cpus.map(number))
        members.add("memory", reservations.memory.map(bytes))
        members.add(
            "generic_resources",
            reservations.genericResources.isEmpty
                ? nil
                : .list(
                    reservations.genericResources.map { resource in
                        .map([
                            .init(
                                "discrete_resource_spec",
                                .map([
                                    .init("kind", text(resource.kind)), .init("value", count(resource.value)),
                                ])
                            )
                        ])
                    }
                )
        )
        members.add("devices", reservations.devices.isEmpty ? nil : .list(reservations.devices.map(request)))
        return members.map
    }

    private static func restart(_ restart: DeployRestart) -> YAMLValue {
        var members = Members()
        members.add("condition", restart.condition.map { .string($0.rawValue) })
        members.add("delay", restart.delay.map(duration))
        members.add("max_attempts", restart.mostAttempts.map(count))
        members.add("window", restart.window.map(duration))
        return members.map
    }

    private static func placement(_ placement: Placement) -> YAMLValue {
        var members = Members()
        members.add("constraints", list(placement.constraints))
        members.add(
            "preferences",
            placement.spread.isEmpty ? nil : .list(placement.spread.map { .map([.init("spread", text($0))]) })
        )
        members.add("max_replicas_per_node", placement.mostReplicas.map(count))
        return members.map
    }
}

package import EscaleCompose
package import EscaleCore

/// What a project shall be: the planner's first input, made from the file and the images it names.
package struct DesiredProject: Codable, Hashable, Sendable {
    package enum Goal: Codable, Hashable, Sendable {
        case up
        /// Containers stopped and kept.
        case stopped
        /// Everything removed; the volumes too if asked.
        case down(removeVolumes: Bool)
    }

    package var goal: Goal
    /// When the user asked. Containers that ended before are started again; ones that ended since follow their policy.
    package var requestedAt: Timestamp
    package var networks: [NetworkName]
    package var volumes: [VolumeName]
    package var services: [DesiredService]
    /// Whether containers of services that are not in the file go.
    package var removeOrphans: Bool

    package init(
        goal: Goal, requestedAt: Timestamp, networks: [NetworkName] = [], volumes: [VolumeName] = [],
        services: [DesiredService] = [], removeOrphans: Bool = false
    ) {
        self.goal = goal
        self.requestedAt = requestedAt
        self.networks = networks
        self.volumes = volumes
        self.services = services
        self.removeOrphans = removeOrphans
    }

    package func service(_ name: ServiceName) -> DesiredService? { services.first { $0.name == name } }

    /// When the user last asked for the service.
    func requestTime(of service: DesiredService) -> Timestamp { service.requestedAt ?? requestedAt }
}

/// What a service shall be.
package struct DesiredService: Codable, Hashable, Sendable {
    package var name: ServiceName
    package var replicas: Int
    /// Stands for everything that makes a container what it is, image included: another one means a new container.
    package var fingerprint: String
    package var dependencies: [Dependency]
    package var restart: RestartPolicy
    /// Whether there is a health check, the service's or the image's.
    package var isChecked: Bool
    /// When the user last asked for this service, where that was before ``DesiredProject/requestedAt``.
    package var requestedAt: Timestamp?

    package init(
        name: ServiceName, replicas: Int = 1, fingerprint: String = "", dependencies: [Dependency] = [],
        restart: RestartPolicy = .no, isChecked: Bool = false
    ) {
        self.name = name
        self.replicas = replicas
        self.fingerprint = fingerprint
        self.dependencies = dependencies
        self.restart = restart
        self.isChecked = isChecked
    }
}

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
    /// Services of the file that no active profile has: what runs of them is no orphan. `nil` for none.
    package var leftOut: [ServiceName]?
    /// Services that somebody else runs: containers of theirs go, and nothing waits for them. `nil` for none.
    package var elsewhere: [ServiceName]?

    package init(
        goal: Goal, requestedAt: Timestamp, networks: [NetworkName] = [], volumes: [VolumeName] = [],
        services: [DesiredService] = [], removeOrphans: Bool = false,
        leftOut: [ServiceName]? = nil, elsewhere: [ServiceName]? = nil
    ) {
        self.goal = goal
        self.requestedAt = requestedAt
        self.networks = networks
        self.volumes = volumes
        self.services = services
        self.removeOrphans = removeOrphans
        self.leftOut = leftOut
        self.elsewhere = elsewhere
    }

    package func service(_ name: ServiceName) -> DesiredService? { services.first { $0.name == name } }

    /// Whether the file has no such service, active or not.
    func isOrphan(_ name: ServiceName) -> Bool { service(name) == nil && leftOut?.contains(name) != true }

    func isElsewhere(_ name: ServiceName) -> Bool { elsewhere?.contains(name) == true }

    /// Whether the replica shall run.
    package func wants(_ replica: ReplicaID) -> Bool {
        guard goal == .up, let service = service(replica.service), service.hold == nil else { return false }
        return service.wanted.contains { $0.replica == replica }
    }

    /// When the user last asked for the service.
    package func requestTime(of service: DesiredService) -> Timestamp { service.requestedAt ?? requestedAt }
}

/// What a service shall be.
package struct DesiredService: Codable, Hashable, Sendable {
    package var name: ServiceName
    package var replicas: Int
    /// The version's number: the release that brought it.
    package var generation: Int
    /// The slots of this version that are wanted now; `nil` for all of them.
    package var slots: Set<Int>?
    /// Replicas of other versions that are wanted beside it, while a release is under way.
    package var others: [DesiredVersion] = []
    /// How long connections of a replica that is no longer wanted may go on before it is stopped.
    package var drain: Duration = .zero
    /// Stands for everything that makes a container what it is, image included: another one means a new container.
    package var fingerprint: String
    package var dependencies: [Dependency]
    package var restart: RestartPolicy
    /// Whether there is a health check, the service's or the image's.
    package var isChecked: Bool
    /// Whether two versions must never run at the same time, since both write one volume; `nil` where they may.
    package var isExclusive: Bool?
    /// When the user last asked for this service, where that was before ``DesiredProject/requestedAt``.
    package var requestedAt: Timestamp?
    /// Why its replicas shall not run, though the project is up; `nil` where they shall.
    package var hold: Hold?
    /// Whether an unhealthy replica is restarted, as its policy says of one that failed.
    package var restartsUnhealthy: Bool?
    /// Counts the requests to restart it: a replica that was started in an earlier round is started again.
    package var round: Int?

    /// What a command made of one service alone.
    package enum Hold: String, Codable, Hashable, Sendable {
        /// Containers are made and wait.
        case created
        /// Containers are stopped and stay; none is made.
        case stopped
        /// Containers are stopped and removed.
        case removed
    }

    package init(
        name: ServiceName, replicas: Int = 1, generation: Int = 1, fingerprint: String = "",
        dependencies: [Dependency] = [], restart: RestartPolicy = .no, isChecked: Bool = false
    ) {
        self.name = name
        self.replicas = replicas
        self.generation = generation
        self.fingerprint = fingerprint
        self.dependencies = dependencies
        self.restart = restart
        self.isChecked = isChecked
    }

    /// Every replica that is wanted, with what it is made from.
    var wanted: [(replica: ReplicaID, fingerprint: String, restart: RestartPolicy)] {
        let own = (slots.map { $0.sorted() } ?? Array(1...max(1, replicas)).filter { $0 <= replicas })
            .map { (ReplicaID(service: name, slot: $0, generation: generation), fingerprint, restart) }
        let others = others.flatMap { other in
            other.slots.sorted().map {
                (ReplicaID(service: name, slot: $0, generation: other.generation), other.fingerprint, other.restart)
            }
        }
        return own + others
    }

    /// What the service's dependents go by: the replicas of the version that is wanted, or, as long as none of them is,
    /// those of another.
    func standing(among containers: [ObservedContainer]) -> (service: DesiredService, containers: [ObservedContainer]) {
        guard let slots, slots.isEmpty, let other = others.last else {
            let wanted = slots ?? Set(Array(1...max(1, replicas)).filter { $0 <= replicas })
            var service = self
            service.replicas = wanted.count
            return (service, containers.filter { $0.replica.generation == generation && wanted.contains($0.replica.slot) })
        }
        var service = self
        service.generation = other.generation
        service.fingerprint = other.fingerprint
        service.restart = other.restart
        service.isChecked = other.isChecked
        service.replicas = other.slots.count
        return (
            service,
            containers.filter { $0.replica.generation == other.generation && other.slots.contains($0.replica.slot) }
        )
    }
}

/// Replicas of a former or another version of a service that are wanted for now.
package struct DesiredVersion: Codable, Hashable, Sendable {
    package var generation: Int
    package var fingerprint: String
    package var slots: Set<Int>
    package var restart: RestartPolicy
    package var isChecked: Bool

    package init(
        generation: Int, fingerprint: String, slots: Set<Int>, restart: RestartPolicy, isChecked: Bool
    ) {
        self.generation = generation
        self.fingerprint = fingerprint
        self.slots = slots
        self.restart = restart
        self.isChecked = isChecked
    }
}

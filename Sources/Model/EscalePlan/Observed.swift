package import EscaleCore

/// What a project is right now: the planner's second input.
package struct ObservedProject: Hashable, Sendable {
    package var networks: Set<NetworkName>
    package var volumes: Set<VolumeName>
    package var containers: [ObservedContainer]

    package init(
        networks: Set<NetworkName> = [], volumes: Set<VolumeName> = [], containers: [ObservedContainer] = []
    ) {
        self.networks = networks
        self.volumes = volumes
        self.containers = containers
    }
}

/// One container as it was last seen.
package struct ObservedContainer: Hashable, Sendable {
    package enum Phase: Hashable, Sendable {
        case created
        case running(since: Timestamp)
        case exited(code: Int32, at: Timestamp)
    }

    package enum Health: String, Codable, Hashable, Sendable { case starting, healthy, unhealthy }

    package var id: ContainerID
    package var replica: ReplicaID
    package var fingerprint: String
    package var phase: Phase
    /// `nil` for one that isn't checked or doesn't run.
    package var health: Health?
    /// How often in a row it ended soon after its start: what the restart delay grows with.
    package var failures: Int
    /// Whether it ended because a step stopped it. Such an end is none of its own: if it is wanted again it is started,
    /// whatever its restart policy says.
    package var wasStopped: Bool
    /// Whether it ended because the machine did. Nobody knows how it would have ended by itself: it has not failed.
    package var endedWithHost: Bool
    /// Since when it gets no new traffic, because it is on its way out.
    package var drainingSince: Timestamp?
    /// Whether its last connection is over, while it drains.
    package var isIdle: Bool
    /// Whether a step is starting it.
    package var isStarting = false
    /// The service's ``DesiredService/round`` when it was started.
    package var round = 0
    /// The generations of the services that it depends on, when it was started; of those that it is to be restarted with.
    package var companions: [ServiceName: Int] = [:]
    /// Whether it shares a namespace with a container that has ended since.
    package var isStranded = false

    package init(
        id: ContainerID, replica: ReplicaID, fingerprint: String = "", phase: Phase, health: Health? = nil,
        failures: Int = 0, wasStopped: Bool = false, endedWithHost: Bool = false, drainingSince: Timestamp? = nil, isIdle: Bool = false
    ) {
        self.id = id
        self.replica = replica
        self.fingerprint = fingerprint
        self.phase = phase
        self.health = health
        self.failures = failures
        self.wasStopped = wasStopped
        self.endedWithHost = endedWithHost
        self.drainingSince = drainingSince
        self.isIdle = isIdle
    }

    /// Whether it has ended, and not by itself since the user asked: it counts as not started yet.
    func isStale(since requestedAt: Timestamp) -> Bool {
        switch phase {
        case .created, .running: false
        case .exited(_, let at): wasStopped || at < requestedAt
        }
    }

    package var isRunning: Bool {
        switch phase {
        case .running: true
        case .created, .exited: false
        }
    }
}

import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleNetlink
import EscalePlan

/// What the daemon remembers of a project. Written by the project's supervisor alone.
struct ProjectRecord: Codable, Sendable {
    /// The file as it was last asked for; what the services are made from.
    var project: Project
    var desired: DesiredProject
    /// IDs of the images that the services' containers are made from.
    var images: [ServiceName: Digest] = [:]
    /// Part of the services' fingerprints: a new one makes new containers though nothing else changed.
    var salts: [ServiceName: String] = [:]
}

/// A network that exists: its addresses are its own until it is removed.
struct NetworkRecord: Codable, Sendable {
    var name: NetworkName
    var project: ProjectName
    /// The key in the compose file.
    var key: String
    var subnet: IPv4Subnet
    var isInternal: Bool
    /// Each service's virtual address on it.
    var services: [ServiceName: IPv4Address] = [:]
}

/// A container that exists, whatever it is doing.
struct ContainerRecord: Codable, Sendable {
    enum Phase: Codable, Hashable, Sendable {
        case created
        /// Its processes exist or are being made; over a crash such a start is undone.
        case starting
        case running(ContainerProcesses)
        case exited(code: Int32)
    }

    let id: ContainerID
    let name: String
    let project: ProjectName
    let replica: ReplicaID
    let fingerprint: String
    let blueprint: ContainerBlueprint
    let image: String
    let imageID: Digest
    /// Addresses in order of preference, by the network's name on the host.
    let addresses: [NetworkAddress]
    let ports: [PortMapping]
    let stopSignal: Int32
    let createdAt: Timestamp
    var phase: Phase = .created
    var health: ObservedContainer.Health?
    var startedAt: Timestamp?
    var finishedAt: Timestamp?
    /// Quick ends in a row.
    var failures = 0
    /// How often the restart policy started it again.
    var restarts = 0
    /// Why it is as it is, for people.
    var reason: String?
    /// Whether it ended because it was stopped.
    var wasStopped: Bool?

    struct NetworkAddress: Codable, Hashable, Sendable {
        let network: NetworkName
        let address: IPv4Address
    }

    var processes: ContainerProcesses? {
        switch phase {
        case .running(let processes): processes
        case .created, .starting, .exited: nil
        }
    }

    /// What the planner sees of it.
    var observed: ObservedContainer {
        let phase: ObservedContainer.Phase =
            switch self.phase {
            case .created, .starting: .created
            case .running: .running(since: startedAt ?? createdAt)
            case .exited(let code): .exited(code: code, at: finishedAt ?? createdAt)
            }
        return ObservedContainer(
            id: id, replica: replica, fingerprint: fingerprint, phase: phase, health: health, failures: failures,
            wasStopped: wasStopped ?? false)
    }

    /// Whether traffic may go to it by its health.
    var isReady: Bool {
        switch phase {
        case .running: health == nil || health == .healthy
        case .created, .starting, .exited: false
        }
    }
}

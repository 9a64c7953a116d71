import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleNetlink
import EscalePlan
import EscaleRelease
import EscaleSystem

/// What the daemon remembers of a project. Written by the project's supervisor alone.
struct ProjectRecord: Codable, Sendable {
    /// The file as it was last asked for; what the services are made from.
    var project: Project
    var desired: DesiredProject
    /// IDs of the images that the services' containers are made from.
    var images: [ServiceName: Digest] = [:]
    /// Part of the services' fingerprints: a new one makes new containers though nothing else changed.
    var salts: [ServiceName: String] = [:]
    /// The newest release's number; 0 before the first.
    var release = 0
    /// The last release that succeeded: what a failed one goes back to.
    var proven: Int?
    /// Sets the anonymous volumes of a service apart from those that it had before they were renewed.
    var renewals: [ServiceName: String]?
}

/// A release with all that it takes to come back to it. Kept as long as `x-escale.release.keep` says.
struct ReleaseRecord: Codable, Sendable {
    var release: Release
    var project: Project
    /// As it is when the release has succeeded.
    var desired: DesiredProject
    var images: [ServiceName: Digest]
    var salts: [ServiceName: String]
    /// Whether it exchanges something that runs, so that whoever asked for it waits for its end.
    var isProtected: Bool

    var number: Int { release.number }
}

/// A version of a service: the release that brought it.
struct VersionID: Hashable, Sendable {
    let service: ServiceName
    let generation: Int

    init(service: ServiceName, generation: Int) {
        self.service = service
        self.generation = generation
    }

    init(_ replica: ReplicaID) { self.init(service: replica.service, generation: replica.generation) }
}

/// A network that exists: its addresses are its own until it is removed.
struct NetworkRecord: Codable, Sendable {
    var name: NetworkName
    var project: ProjectName
    /// The key in the compose file.
    var key: String
    var subnet: IPv4Subnet
    var isInternal: Bool
    /// What its file says of its addresses; `nil` where Escale chose them.
    var plan: AddressPlan<IPv4Address>?
    var mtu: Int?
    /// Each service's virtual address on it.
    var services: [ServiceName: IPv4Address] = [:]
    /// What it has of IPv6; `nil` where its containers have IPv4 addresses only.
    var ipv6: AddressBlock<IPv6Address>?
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
    var blueprint: ContainerBlueprint
    let image: String
    let imageID: Digest
    /// Addresses in order of preference, by the network's name on the host.
    let addresses: [NetworkAddress]
    /// How it finds names, and which it has.
    var names: ServiceNames?
    /// Whose namespaces it shares, and the processes in whose it is since its last start.
    var namespaces: ServiceNamespaces?
    var companions: [ProcessIdentity]?
    /// Images besides its own that it needs: whose files it sees, or that prepare its start.
    var mountedImages: [Digest]?
    var ports: [PortMapping]
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
    /// Whether it ended because the machine did.
    var endedWithHost: Bool?
    /// Since when it gets no new traffic.
    var drainingSince: Timestamp?
    /// Whether its port takes connections; `nil` where a health check tells, or nothing can be asked.
    var isListening: Bool?
    /// Since when it is ready; `nil` while it isn't.
    var readySince: Timestamp?
    /// The port at which `x-escale.http` reaches it.
    var httpPort: UInt16?
    /// The end of its output when it last ended by itself.
    var lastWords: String?
    /// Whether its processes are frozen.
    var isPaused: Bool?
    /// The service's round, and the generations of the services that it is to be restarted with, when it was started.
    var round: Int?
    var seenGenerations: [ServiceName: Int]?
    /// Whether it has been healthy since it was started, and whether it was ended because it no longer was.
    var wasHealthy: Bool?
    var endedUnhealthy: Bool?
    /// For one that belongs to no replica: a command that was run once, beside the service's own containers.
    var isOneOff: Bool?
    /// Whether it takes the service's traffic all the same, under the service's names.
    var hasServiceNames: Bool?
    /// Whether it goes when it has ended.
    var isRemovedAtExit: Bool?
    /// How many of its service's `pre_start` have been done for it, before its first start.
    var preparations: Int?
    /// For a one-off container of `pre_start`: which of them it does.
    var preparation: Int?

    struct NetworkAddress: Codable, Hashable, Sendable {
        let network: NetworkName
        let address: IPv4Address
        var ipv6: IPv6Address?
        /// The network's key in the project's file.
        var key: String?
        var options: AttachmentOptions?
    }

    var processes: ContainerProcesses? {
        switch phase {
        case .running(let processes): processes
        case .created, .starting, .exited: nil
        }
    }

    var hasEnded: Bool {
        if case .exited = phase { true } else { false }
    }

    /// What the planner sees of it.
    ///
    /// - Parameters:
    ///   - isIdle: whether its last connection is over, while it drains.
    ///   - isStarting: whether a step is starting it.
    func observed(isIdle: Bool, isStarting: Bool) -> ObservedContainer {
        let phase: ObservedContainer.Phase =
            switch self.phase {
            case .created, .starting: .created
            case .running: .running(since: startedAt ?? createdAt)
            case .exited(let code):
                // What was ended for its health has failed, however politely it went.
                .exited(code: endedUnhealthy == true && code == 0 ? 1 : code, at: finishedAt ?? createdAt)
            }
        var observed = ObservedContainer(
            id: id, replica: replica, fingerprint: fingerprint, phase: phase, health: health, failures: failures,
            wasStopped: wasStopped ?? false, endedWithHost: endedWithHost ?? false, drainingSince: drainingSince, isIdle: isIdle)
        observed.isStarting = isStarting || self.phase == .starting
        observed.round = round ?? 0
        observed.companions = seenGenerations ?? [:]
        observed.isStranded = processes != nil && isStranded
        return observed
    }

    /// The ``reason`` of one that the kernel ended for want of memory.
    static let outOfMemory = "out of memory"

    var handle: ContainerHandle { ContainerHandle(id: id, name: name) }

    /// Whether the service's traffic is for it.
    var servesService: Bool { isOneOff != true || hasServiceNames == true }

    /// Whether traffic may go to it, by its health check or else by its port.
    var isReady: Bool {
        switch phase {
        case .running: (health == nil || health == .healthy) && isListening != false && isPaused != true
        case .created, .starting, .exited: false
        }
    }
}

package import EscaleCompose
package import EscaleCore

/// What can be done right now, what has to be waited for, and what stands in the way.
package struct Plan: Hashable, Sendable {
    /// All independent of each other: they may be performed at the same time, in any order.
    package var steps: [Step] = []
    /// Replicas that can't start yet, with what each waits for.
    package var waits: [Wait] = []
    /// When the plan changes by itself, such as at the end of a restart delay.
    package var wakeAt: Timestamp?

    package init() {}
}

/// One thing to do, and why.
package struct Step: Codable, Hashable, Sendable {
    package enum Action: Codable, Hashable, Sendable {
        case createNetwork(NetworkName)
        case createVolume(VolumeName)
        case create(ReplicaID)
        case start(ContainerID, ReplicaID)
        /// Gives it no new traffic; what is under way goes on.
        case drain(ContainerID, ReplicaID)
        /// Gives it traffic again: it is wanted after all.
        case undrain(ContainerID, ReplicaID)
        case stop(ContainerID, ReplicaID)
        case remove(ContainerID, ReplicaID)
        case removeNetwork(NetworkName)
        case removeVolume(VolumeName)
    }

    /// What a step works on. Two steps with one subject are never performed at the same time.
    package enum Subject: Hashable, Sendable {
        case network(NetworkName)
        case volume(VolumeName)
        case replica(ReplicaID)
    }

    package var action: Action
    package var reason: Reason

    package init(_ action: Action, because reason: Reason) {
        self.action = action
        self.reason = reason
    }

    package var subject: Subject {
        switch action {
        case .createNetwork(let name), .removeNetwork(let name): .network(name)
        case .createVolume(let name), .removeVolume(let name): .volume(name)
        case .create(let replica), .start(_, let replica), .drain(_, let replica), .undrain(_, let replica),
            .stop(_, let replica), .remove(_, let replica):
            .replica(replica)
        }
    }
}

/// Why a step is in the plan: the same answer for the event log, the progress display and the tests.
package enum Reason: Codable, Hashable, Sendable, CustomStringConvertible {
    case missing
    case ready
    case changed
    /// Another version takes its place.
    case replaced
    case surplus
    case orphan
    /// Somebody else runs its service (`x-escale.external`).
    case elsewhere
    case requested
    case ended(code: Int32, restart: Int)
    case goingDown
    case unhealthy
    /// A service that it is to be restarted with was replaced (`depends_on.restart`).
    case companionReplaced(ServiceName)
    /// A container whose namespace it shares has ended.
    case stranded

    package var description: String {
        switch self {
        case .missing: "missing"
        case .ready: "ready to start"
        case .changed: "configuration or image changed"
        case .replaced: "another version takes its place"
        case .surplus: "more replicas than wanted"
        case .orphan: "its service is no longer in the file"
        case .elsewhere: "somebody else runs its service now"
        case .requested: "requested"
        case .ended(let code, let restart): "ended with exit code \(code), restart \(restart)"
        case .goingDown: "the project goes down"
        case .unhealthy: "unhealthy"
        case .companionReplaced(let service): "\(service) was replaced"
        case .stranded: "the container whose namespace it shares was started anew"
        }
    }
}

/// A replica that can't start before something else holds.
package struct Wait: Hashable, Sendable, CustomStringConvertible {
    package var replica: ReplicaID
    package var dependency: ServiceName
    package var condition: Dependency.Condition

    package init(_ replica: ReplicaID, for dependency: ServiceName, _ condition: Dependency.Condition) {
        self.replica = replica
        self.dependency = dependency
        self.condition = condition
    }

    package var description: String {
        switch condition {
        case .started: "waits for \(dependency) to start"
        case .healthy: "waits for \(dependency) to be healthy"
        case .completed: "waits for \(dependency) to complete"
        }
    }
}

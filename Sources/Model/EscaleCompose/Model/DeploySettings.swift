package import EscaleCore

/// `deploy`, but for what ``Service`` holds itself: the number of replicas and the configurations of updates.
package struct DeploySettings: Codable, Hashable, Sendable {
    package enum Mode: String, Codable, CaseIterable, Sendable {
        case replicated, global
        case replicatedJob = "replicated-job"
        case globalJob = "global-job"
    }

    package enum EndpointMode: String, Codable, CaseIterable, Sendable { case vip, dnsrr }

    package var mode: Mode?
    package var endpointMode: EndpointMode?
    package var labels: [String: String] = [:]
    package var placement: Placement?
    package var restart: DeployRestart?
    package var limits: DeployLimits?
    package var reservations: DeployReservations?

    package init() {}
}

/// On which machine a service shall run.
package struct Placement: Codable, Hashable, Sendable {
    package var constraints: [String] = []
    /// Labels of machines that replicas are spread over.
    package var spread: [String] = []
    package var mostReplicas: Int?

    package init() {}
}

/// `deploy.restart_policy`.
package struct DeployRestart: Codable, Hashable, Sendable {
    package enum Condition: String, Codable, CaseIterable, Sendable {
        case none
        case onFailure = "on-failure"
        case any
        // What Docker Compose takes too.
        case no, always
        case unlessStopped = "unless-stopped"
    }

    package var condition: Condition?
    package var delay: Duration?
    package var mostAttempts: Int?
    package var window: Duration?

    package init() {}

    /// The same as a service's `restart`.
    package var policy: RestartPolicy {
        switch condition {
        case .some(.none), .no: .no
        case .onFailure: .onFailure(retries: mostAttempts == 0 ? nil : mostAttempts)
        case .unlessStopped: .unlessStopped
        case .any, .always, nil: .always
        }
    }
}

/// `deploy.resources.limits`.
package struct DeployLimits: Codable, Hashable, Sendable {
    package var cpus: Double?
    package var memory: ByteCount?
    package var processes: Bound<Int>?

    package init() {}
}

/// `deploy.resources.reservations`: what is to be set aside.
package struct DeployReservations: Codable, Hashable, Sendable {
    /// Something countable of a kind that the machine's owner named.
    package struct GenericResource: Codable, Hashable, Sendable {
        package var kind: String
        package var value: Int
    }

    package var cpus: Double?
    package var memory: ByteCount?
    package var genericResources: [GenericResource] = []
    package var devices: [DeviceRequest] = []

    package init() {}
}

package import EscaleCore

/// Does something to containers of some services, which stay what they are.
package struct ServicesRequest: Codable, Hashable, Sendable {
    package enum Action: String, Codable, Sendable { case start, stop, restart, kill, pause, unpause, remove

        /// What people type.
        package var verb: String { self == .remove ? "rm" : rawValue }
    }

    package var action: Action
    /// All of the project's if empty.
    package var services: [ServiceName]
    /// Instead of each service's own grace period.
    package var timeout: Duration?
    /// What `kill` sends: a name or a number; `nil` for SIGKILL.
    package var signal: String?
    /// Whether `restart` leaves services alone that are to be restarted with these (`depends_on.restart`).
    package var leavesDependents = false
    /// Whether `remove` stops first what runs.
    package var stopsFirst = false
    /// Whether `remove` takes the anonymous volumes too.
    package var removesVolumes = false

    package init(_ action: Action, _ services: [ServiceName] = [], timeout: Duration? = nil) {
        self.action = action
        self.services = services
        self.timeout = timeout
    }
}

/// What became of a ``ServicesRequest``.
package struct ServicesResult: Codable, Hashable, Sendable {
    /// The containers that it was about, by name; none where there was nothing to do.
    package var containers: [String]

    package init(containers: [String]) { self.containers = containers }
}

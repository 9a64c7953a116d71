/// `x-escale.probe`: a health check that the daemon makes itself, without a process in the container.
///
/// How often, how long and how many times is said under `healthcheck`, as for a command.
package struct ServiceProbe: Codable, Hashable, Sendable {
    package enum Kind: Codable, Hashable, Sendable {
        /// GET of this path; good is an answer from 200 to 399.
        case http(path: String)
        /// Good is a connection that is taken.
        case tcp
    }

    package var kind: Kind
    /// In the container.
    package var port: UInt16

    package init(_ kind: Kind, port: UInt16) {
        self.kind = kind
        self.port = port
    }
}

/// `x-escale.on_unhealthy`: what becomes of a container that its health check finds unhealthy.
package enum UnhealthyAction: String, Codable, Hashable, Sendable, CaseIterable {
    /// It is restarted, if its restart policy restarts one that failed.
    case restart
    /// It goes on, without traffic, as with Docker.
    case ignore
}

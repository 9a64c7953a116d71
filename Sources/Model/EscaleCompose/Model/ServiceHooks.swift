/// Commands at turning points in the life of a container.
package struct ServiceHooks: Codable, Hashable, Sendable {
    package var preStart: [Hook] = []
    package var postStart: [Hook] = []
    package var preStop: [Hook] = []

    package init() {}
}

/// One such command.
package struct Hook: Codable, Hashable, Sendable {
    package var command: [String]
    package var user: String?
    package var isPrivileged: Bool?
    package var workingDirectory: String?
    package var environment: [String: String] = [:]
    /// Of `pre_start`: what runs it, the service's own for `nil`.
    package var image: String?
    /// Of `pre_start`: whether it runs before each replica and not only before the first.
    package var runsForEachReplica: Bool?

    package init(command: [String]) { self.command = command }
}

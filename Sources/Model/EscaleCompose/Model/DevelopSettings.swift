/// What happens when files change while one works on a service.
package struct DevelopSettings: Codable, Hashable, Sendable {
    package var watch: [WatchRule] = []

    package init() {}
}

/// Files to watch, and what to do when they change.
package struct WatchRule: Codable, Hashable, Sendable {
    package enum Action: String, Codable, CaseIterable, Sendable {
        case rebuild, sync, restart
        case syncAndRestart = "sync+restart"
        case syncAndExec = "sync+exec"

        /// Whether changed files are copied into the container.
        package var copies: Bool { self != .rebuild && self != .restart }
    }

    /// Absolute.
    package var path: String
    package var action: Action
    /// In the container.
    package var target: String?
    package var exec: Hook?
    package var ignored: [String] = []
    package var included: [String] = []
    package var copiesAtFirst: Bool?

    package init(path: String, action: Action) {
        self.path = path
        self.action = action
    }
}

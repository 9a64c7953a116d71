import EscaleCore

/// A secret or a config: a text that services see as a read-only file.
package struct SharedFile: Codable, Hashable, Sendable {
    package var key: String
    /// A file on this machine, absolute.
    package var file: String?
    /// The variable that holds the text.
    package var environment: String?
    /// The text itself: as the file has it, or the variable's value.
    package var content: String?
    /// What others call it; `nil` for `project_key`.
    package var name: String?
    package var labels: [String: String]?
    /// Made by somebody else.
    package var isExternal: Bool?
    package var driver: String?
    package var driverOptions: [String: String]?
    package var templateDriver: String?

    /// What others call it where the file gives no name.
    func usualName(in project: ProjectName) -> String { isExternal == true ? key : "\(project)_\(key)" }

    package init(key: String, file: String? = nil) {
        self.key = key
        self.file = file
    }
}

/// A secret or a config as a service sees it.
package struct SharedFileMount: Codable, Hashable, Sendable {
    /// The key of the secret or config.
    package var source: String
    /// Absolute: by default `/run/secrets/<key>`, and `/<key>` for a config.
    package var target: String
    /// The owner; `nil` for root.
    package var uid: UInt32?
    package var gid: UInt32?
    /// Permissions; `nil` for 0444.
    package var mode: UInt32?

    package init(source: String, target: String) {
        self.source = source
        self.target = target
    }

    private enum CodingKeys: String, CodingKey {
        /// The name that records of older versions have.
        case source = "secret"
        case target, uid, gid, mode
    }
}

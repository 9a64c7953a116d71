/// How far a service's containers are confined.
package struct ServiceSecurity: Codable, Hashable, Sendable {
    package var isPrivileged: Bool?
    /// Such as `no-new-privileges:true` or `seccomp:profile.json`.
    package var options: [String] = []
    /// Names or numbers.
    package var additionalGroups: [String] = []
    package var sysctls: [String: String] = [:]
    package var runtime: String?
    package var isolation: String?
    package var credentials: CredentialSpec?
    /// Whether the container gets the socket of the Docker daemon.
    package var usesAPISocket: Bool?

    package init() {}
}

/// Where the credentials of a Windows service account are described.
package enum CredentialSpec: Codable, Hashable, Sendable {
    /// A config of the project, by its key.
    case config(String)
    case file(String)
    case registry(String)
}

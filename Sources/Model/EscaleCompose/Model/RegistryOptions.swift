/// A registry of the host's own, over its image store.
package struct RegistryOptions: Codable, Hashable, Sendable {
    /// `ADDRESS:PORT`
    package var listen: String
    /// Absolute paths of files.
    package var htpasswd: String?
    package var certificate: String?
    package var key: String?

    package init(listen: String) { self.listen = listen }
}

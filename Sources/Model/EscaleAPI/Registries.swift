/// Who somebody is at a registry.
package struct RegistryCredential: Codable, Hashable, Sendable {
    package var username: String
    package var password: String
    /// What an earlier login was given instead of a password (OAuth2).
    package var identityToken: String?

    package init(username: String, password: String, identityToken: String? = nil) {
        self.username = username
        self.password = password
        self.identityToken = identityToken
    }
}

/// Brings images from registries.
package struct PullRequest: Codable, Sendable {
    package var images: [String]
    /// Such as `linux/arm64`; `nil` for this machine's.
    package var platform: String?
    /// By registry, such as `registry.example.org:5000`.
    package var credentials: [String: RegistryCredential]

    package init(images: [String], platform: String? = nil, credentials: [String: RegistryCredential] = [:]) {
        self.images = images
        self.platform = platform
        self.credentials = credentials
    }
}

/// Takes images to registries.
package struct PushRequest: Codable, Sendable {
    package var images: [String]
    package var credentials: [String: RegistryCredential]

    package init(images: [String], credentials: [String: RegistryCredential] = [:]) {
        self.images = images
        self.credentials = credentials
    }
}

/// An image as a registry knows it.
package struct TransferredImage: Codable, Hashable, Sendable {
    package var name: String
    package var id: String
    /// `sha256:…` of what the name leads to there.
    package var digest: String

    package init(name: String, id: String, digest: String) {
        self.name = name
        self.id = id
        self.digest = digest
    }
}

/// A registry on this host's image store.
package struct RegistrySettings: Codable, Hashable, Sendable {
    /// `ADDRESS:PORT`
    package var listen: String
    /// Absolute paths.
    package var htpasswd: String?
    package var certificate: String?
    package var key: String?
    /// Whether it also comes back with the daemon.
    package var isPermanent: Bool

    package init(
        listen: String,
        htpasswd: String? = nil,
        certificate: String? = nil,
        key: String? = nil,
        isPermanent: Bool = true
    ) {
        self.listen = listen
        self.htpasswd = htpasswd
        self.certificate = certificate
        self.key = key
        self.isPermanent = isPermanent
    }
}

/// A registry that runs.
package struct RegistryStatus: Codable, Hashable, Sendable {
    package var url: String
    package var settings: RegistrySettings
    package var repositories: Int

    package init(url: String, settings: RegistrySettings, repositories: Int) {
        self.url = url
        self.settings = settings
        self.repositories = repositories
    }
}

/// Whether a registry lets somebody in.
package struct LoginRequest: Codable, Sendable {
    package var host: String
    package var credential: RegistryCredential

    package init(host: String, credential: RegistryCredential) {
        self.host = host
        self.credential = credential
    }
}

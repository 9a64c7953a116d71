package import EscaleCompose
package import EscaleCore

/// Builds images: of a project's services, or one of its own.
package struct BuildRequest: Codable, Sendable {
    package struct Item: Codable, Sendable {
        package var service: ServiceName
        package var build: Build
        /// The name that the image gets; `nil` for none.
        package var image: String?
        /// By the id that the Dockerfile uses.
        package var secrets: [String: Secret]
        /// Sockets of SSH agents, by the id that the Dockerfile uses.
        package var agents: [String: String]

        package init(
            service: ServiceName, build: Build, image: String?, secrets: [String: Secret] = [:],
            agents: [String: String] = [:]
        ) {
            self.service = service
            self.build = build
            self.image = image
            self.secrets = secrets
            self.agents = agents
        }

        /// A service's build with what it uses of its project.
        ///
        /// - Parameter agent: the socket of the user's SSH agent; `nil` where none runs.
        package init?(_ service: Service, in project: Project, agent: String?) {
            guard let build = service.build else { return nil }
            self.init(service: service.name, build: build, image: service.imageName(in: project.name))
            for mount in build.options?.secrets ?? [] {
                guard let secret = project.secrets.first(where: { $0.key == mount.source }) else { continue }
                let name = mount.target.split(separator: "/").last.map(String.init) ?? mount.source
                secrets[name] = secret.file.map(Secret.file) ?? .text(secret.content ?? "")
                secrets[mount.source] = secrets[name]
            }
            for key in build.options?.keys ?? [] { agents[key.id] = key.path ?? agent }
        }
    }

    package enum Secret: Codable, Hashable, Sendable {
        /// Absolute path of a file.
        case file(String)
        case text(String)
    }

    package var items: [Item]
    package var noCache: Bool
    /// Whether base images are asked for at their registries, also where they are here.
    package var pull = false
    /// Only the build checks are run.
    package var checkOnly = false
    /// Whether what a failed `RUN` left is kept for ``DebugRequest``.
    package var keepsFailure = false
    /// By registry.
    package var credentials: [String: RegistryCredential] = [:]

    package init(items: [Item], noCache: Bool = false) {
        self.items = items
        self.noCache = noCache
    }
}

/// Looks around in what a failed build step left, or ends that.
package struct DebugRequest: Codable, Sendable {
    /// As the failure's detail `kept` names it.
    package var failure: String
    package var terminal: Bool

    package init(failure: String, terminal: Bool) {
        self.failure = failure
        self.terminal = terminal
    }
}

package struct BuildResult: Codable, Hashable, Sendable {
    /// Image IDs by service.
    package var images: [ServiceName: String]
    /// What the checks found, where only they were run.
    package var findings: [Diagnostic]?

    package init(images: [ServiceName: String], findings: [Diagnostic]? = nil) {
        self.images = images
        self.findings = findings
    }
}

package struct ImageSummary: Codable, Hashable, Sendable {
    /// `sha256:…` of its configuration.
    package var id: String
    /// Familiar names with tags; empty for one that lost its name.
    package var names: [String]
    package var size: ByteCount
    package var createdAt: Timestamp

    package init(id: String, names: [String], size: ByteCount, createdAt: Timestamp) {
        self.id = id
        self.names = names
        self.size = size
        self.createdAt = createdAt
    }
}

package struct ImageRemoval: Codable, Hashable, Sendable {
    package var untagged: [String]
    package var deleted: [String]

    package init(untagged: [String], deleted: [String]) {
        self.untagged = untagged
        self.deleted = deleted
    }
}

package struct ImportRequest: Codable, Sendable {
    /// Absolute path of a root file system as tar, plain or compressed.
    package var path: String
    package var name: String

    package init(path: String, name: String) {
        self.path = path
        self.name = name
    }
}

/// Makes a minimal Debian base image from the host's own package sources.
package struct BootstrapRequest: Codable, Sendable {
    package var name: String
    package init(name: String) { self.name = name }
}

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

package struct LoadRequest: Codable, Sendable {
    /// Absolute path of an archive of images.
    package var path: String
    package var platform: String?

    package init(path: String, platform: String? = nil) {
        self.path = path
        self.platform = platform
    }
}

package struct SaveRequest: Codable, Sendable {
    package var images: [String]
    /// Absolute path of the archive to write.
    package var path: String
    /// `docker-archive` or `oci-archive`.
    package var format: String

    package init(images: [String], path: String, format: String) {
        self.images = images
        self.path = path
        self.format = format
    }
}

/// What was found wrong with the image store, a sentence each, and what was done about it.
package struct StoreCheck: Codable, Hashable, Sendable {
    package var problems: [String]
    package var repaired: [String]

    package init(problems: [String], repaired: [String]) {
        self.problems = problems
        self.repaired = repaired
    }
}

package struct PruneResult: Codable, Hashable, Sendable {
    package var untagged: [String]
    package var deleted: [String]
    package var freed: ByteCount

    package init(untagged: [String], deleted: [String], freed: ByteCount) {
        self.untagged = untagged
        self.deleted = deleted
        self.freed = freed
    }
}

/// What takes room on the disk.
package struct DiskUsage: Codable, Hashable, Sendable {
    package struct Item: Codable, Hashable, Sendable {
        /// `Images`, `Containers`, `Local Volumes`, `Build Cache`, `Registry`.
        package var type: String
        package var total: Int
        /// How many of them are in use.
        package var active: Int
        package var size: ByteCount
        /// What a prune would free.
        package var reclaimable: ByteCount

        package init(type: String, total: Int, active: Int, size: ByteCount, reclaimable: ByteCount) {
            self.type = type
            self.total = total
            self.active = active
            self.size = size
            self.reclaimable = reclaimable
        }
    }

    package var items: [Item]
    package init(items: [Item]) { self.items = items }
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
        listen: String, htpasswd: String? = nil, certificate: String? = nil, key: String? = nil, isPermanent: Bool = true
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

package struct TagRequest: Codable, Sendable {
    package var image: String
    package var name: String

    package init(image: String, name: String) {
        self.image = image
        self.name = name
    }
}

/// One step of an image, as `docker image history` shows it.
package struct HistoryEntry: Codable, Hashable, Sendable {
    package var createdAt: Timestamp?
    package var createdBy: String
    package var size: ByteCount
    package var comment: String

    package init(createdAt: Timestamp?, createdBy: String, size: ByteCount, comment: String) {
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.size = size
        self.comment = comment
    }
}

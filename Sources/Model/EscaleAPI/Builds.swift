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
            service: ServiceName,
            build: Build,
            image: String?,
            secrets: [String: Secret] = [:],
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

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

extension Service {
    /// The service as a `pre_start` hook of it runs: in the same surroundings and with the same mounts, with the hook's command
    /// in the place of its own, and without all that is about serving. An image of the hook's own brings its own entrypoint.
    package func runner(of hook: Hook) -> Service {
        var runner = self
        if let image = hook.image {
            runner.image = image
            runner.build = nil
            runner.entrypoint = nil
        }
        runner.command = hook.command
        runner.user = hook.user ?? user
        runner.workingDirectory = hook.workingDirectory ?? workingDirectory
        runner.environment.merge(hook.environment) { $1 }
        if let isPrivileged = hook.isPrivileged {
            var security = security ?? ServiceSecurity()
            security.isPrivileged = isPrivileged
            runner.security = security
        }
        runner.containerName = nil
        runner.replicas = 1
        runner.ports = []
        runner.dependencies = []
        runner.restart = .no
        runner.healthcheck = nil
        runner.probe = nil
        runner.http = nil
        runner.hooks = nil
        // The addresses are the service's own containers'.
        for index in runner.networks.indices {
            runner.networks[index].options?.ipv4Address = nil
            runner.networks[index].options?.ipv6Address = nil
            runner.networks[index].options?.macAddress = nil
        }
        return runner
    }

    /// The images besides its own that its containers need, each once: those that it mounts, and those of its `pre_start`.
    package var otherImages: [String] {
        let mounted = mounts.compactMap { mount in
            if case .image(let name) = mount.source { name } else { nil }
        }
        var seen: Set<String> = []
        return (mounted + (hooks?.preStart ?? []).compactMap(\.image)).filter { seen.insert($0).inserted }
    }
}

extension Project {
    /// The images of all services, each once, in the order of the file.
    package var imageNames: [String] {
        var seen: Set<String> = []
        return services.flatMap { [$0.imageName(in: name)] + $0.otherImages }.filter { seen.insert($0).inserted }
    }
}

package import EscaleAPI
import EscaleCompose
package import EscaleCore
import EscaleEngine
import EscaleGateway
import EscaleOCI
import EscaleSystem

/// All projects of the host: hands commands to the right one, and answers questions about them.
package actor Supervisor {
    package let platform: Platform
    private var projects: [ProjectName: ProjectSupervisor] = [:]

    package nonisolated let builds: BuildContainers

    package init(platform: Platform) {
        self.platform = platform
        builds = BuildContainers(platform: platform)
    }

    /// Takes up what a former daemon left, and removes what it left half done.
    package func adopt() async throws {
        let containers = try platform.store.containers()
        try await platform.engine.sweep(keeping: Set(containers.map(\.id)))
        try await builds.disconnectIfIdle()
        let records = try platform.store.projects()
        let networks = Dictionary(grouping: try platform.store.networks(), by: \.project)
        let volumes = Dictionary(grouping: try platform.store.volumes(), by: \.project)
        let byProject = Dictionary(grouping: containers, by: \.project)
        for name in Set(records.map(\.project.name)).union(volumes.keys) {
            let project = ProjectSupervisor(
                name: name, platform: platform, record: records.first { $0.project.name == name },
                containers: byProject[name] ?? [], networks: Set((networks[name] ?? []).map(\.name)),
                volumes: Set((volumes[name] ?? []).map(\.name)),
                releases: try platform.store.releases(of: name))
            projects[name] = project
            await project.restoreRecipes()
        }
        for project in projects.values { try await project.adopt() }
        try await platform.network.settle()
    }

    /// Looks after what the host may lose without anybody telling; until the task is cancelled.
    package nonisolated func patrol(every interval: Duration = .seconds(5)) async throws {
        while true {
            try await Task.sleep(for: interval)
            do {
                if try await platform.network.repair() { platform.log.warning("the network was repaired") }
            } catch {
                platform.log.error("the network can't be repaired", ["error": "\(error)"])
            }
        }
    }

    /// Puts the network's rules back at once where others change them; until the task is cancelled.
    package nonisolated func guardRules() async throws { try await platform.network.guardRules() }

    private func project(_ name: ProjectName) -> ProjectSupervisor {
        if let project = projects[name] { return project }
        let project = ProjectSupervisor(name: name, platform: platform)
        projects[name] = project
        return project
    }

    // MARK: Commands

    package func up(
        _ request: UpRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> UpResult {
        try await project(request.project.name).up(request, observer: observer)
    }

    package func down(
        _ name: ProjectName, _ request: DownRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        try await project(name).down(request, observer: observer)
        try await tidy()
    }

    package func rollback(
        _ name: ProjectName, _ request: RollbackRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> UpResult {
        try await known(name).rollback(request, observer: observer)
    }

    package func command(_ name: ProjectName, _ command: ReleaseCommand) async throws -> ReleaseSummary {
        try await known(name).command(command)
    }

    private func known(_ name: ProjectName) throws -> ProjectSupervisor {
        guard let project = projects[name] else { throw EscaleError.projectUnknown(name) }
        return project
    }

    package func stop(
        _ name: ProjectName, _ request: StopRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        try await project(name).stop(request, observer: observer)
    }

    /// Takes every project down with its volumes and removes every trace from the host, state apart.
    package func reset(observer: @escaping @Sendable (ProgressEvent) -> Void) async throws {
        for (_, project) in projects.sorted(by: { $0.key < $1.key }) {
            try await project.down(DownRequest(removeVolumes: true), observer: observer)
        }
        try await tidy()
    }

    /// Removes what the host has of Escale beyond containers, if there are none.
    private func tidy() async throws {
        try await builds.disconnectIfIdle()
        if try platform.store.containers().isEmpty { await platform.engine.tidy() }
    }

    // MARK: Questions

    package func summaries() async -> [ProjectSummary] {
        var all: [ProjectSummary] = []
        for (_, project) in projects.sorted(by: { $0.key < $1.key }) {
            if let summary = await project.summary { all.append(summary) }
        }
        return all
    }

    package func containers(of name: ProjectName) async -> [ContainerSummary] {
        await projects[name]?.containerSummaries ?? []
    }

    /// Images that containers are made from, or that a kept release would make them from.
    package func imagesInUse() throws -> Set<Digest> {
        Set(try platform.store.containers().map(\.imageID))
            .union(try platform.store.releases().flatMap { $0.images.values })
    }

    /// What the gateway counted, in Prometheus' text format.
    package func metrics() async throws -> String {
        GatewayMetrics(try await platform.gateway.counters(), containers: try platform.store.containers()).text
    }

    package func releases(of name: ProjectName) async throws -> [ReleaseSummary] {
        try await known(name).releaseSummaries
    }

    /// - Parameter number: `nil` for the newest.
    package func release(_ number: Int?, of name: ProjectName) async throws -> ReleaseDetail {
        try await known(name).releaseDetail(number)
    }

    package func difference(_ name: ProjectName, from: Int?, to: Int?) async throws -> ReleaseDifference {
        try await known(name).difference(from: from, to: to)
    }

    /// The release's state now, at every change and once a second, until it ends.
    package func watch(_ number: Int?, of name: ProjectName) async throws -> AsyncStream<ReleaseDetail> {
        try await known(name).watchRelease(number)
    }

    package func events(of name: ProjectName) throws -> [Event] { try platform.events.store.events(of: name) }

    package nonisolated func followEvents() -> AsyncStream<Event> { platform.events.follow() }

    /// The runtime's command that runs something in a running container.
    package func exec(_ name: ProjectName, _ request: ExecRequest) async throws -> ExecPlan {
        guard let container = await projects[name]?.runningContainer(request.service, slot: request.index) else {
            throw EscaleError.replicaMissing(ReplicaID(service: request.service, slot: request.index))
        }
        var words = ContainerCommand(
            request.command, terminal: request.tty, workingDirectory: request.workingDirectory,
            environment: request.environment)
        if let user = request.user {
            words.user = try await platform.user(user, inLayers: container.blueprint.layers)
        }
        let command = try await blocking { [engine = platform.engine, words] in
            try engine.execCommand(words, in: container.blueprint.spec)
        }
        return ExecPlan(
            executable: command.executable, arguments: command.arguments,
            unmounts: command.namespace?.unmounts ?? [])
    }
}

package import EscaleAPI
import EscaleArchive
package import EscaleCompose
package import EscaleCore
import EscaleEngine
import EscaleGateway
import EscaleOCI
import EscaleSystem
import Glibc

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
        let store = platform.store
        try await platform.engine.sweep(keeping: try store.containerIDs())
        try await builds.disconnectIfIdle()
        let volumes = Dictionary(grouping: try store.volumes(), by: \.project)
        for name in try store.projectNames().union(volumes.keys) {
            let stored = try store.stored(name)
            for record in stored.unreadable {
                platform.log.error(
                    "a record can't be read",
                    ["project": name.rawValue, "kind": record.kind.rawValue, "name": record.name, "reason": record.reason])
            }
            let project = ProjectSupervisor(
                name: name, platform: platform, stored: stored, volumes: Set((volumes[name] ?? []).map(\.name)))
            projects[name] = project
            await project.restoreRecipes()
        }
        for project in projects.values { await project.adopt() }
        try await platform.network.settle()
    }

    /// Looks after what the host may lose without anybody telling; until the task is cancelled.
    package nonisolated func patrol(every interval: Duration = .seconds(5)) async throws {
        while true {
            try await Task.sleep(for: interval)
            Memory.trim()
            await lookAfterStranded()
            do {
                if try await platform.network.repair() { platform.log.warning("the network was repaired") }
            } catch {
                platform.log.error("the network can't be repaired", ["error": "\(error)"])
            }
        }
    }

    /// Puts the network's rules back at once where others change them; until the task is cancelled.
    package nonisolated func guardRules() async throws { try await platform.network.guardRules() }

    /// Containers that share namespaces with those of other projects, of whose ends nobody tells them.
    private func lookAfterStranded() async {
        for project in projects.values { await project.convergeIfStranded() }
    }

    func project(_ name: ProjectName) -> ProjectSupervisor {
        if let project = projects[name] { return project }
        let project = ProjectSupervisor(name: name, platform: platform)
        projects[name] = project
        return project
    }

    // MARK: Commands

    /// Runs a command that changes the project when those before it are through.
    private func queued<Result: Sendable>(
        _ name: ProjectName, _ what: String, _ observer: @escaping @Sendable (ProgressEvent) -> Void,
        _ body: @Sendable (ProjectSupervisor) async throws -> Result
    ) async throws -> Result {
        let project = project(name)
        let command = CommandOrigin.current.map { "`\(what)` of process \($0)" } ?? "`\(what)`"
        return try await project.commands.run("Project \(name)", command, observer) { try await body(project) }
    }

    package func up(
        _ request: UpRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> UpResult {
        try await queued(request.project.name, "escale up", observer) { try await $0.up(request, observer: observer) }
    }

    package func down(
        _ name: ProjectName, _ request: DownRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        try await queued(name, "escale down", observer) { try await $0.down(request, observer: observer) }
        try await tidy()
    }

    package func rollback(
        _ name: ProjectName, _ request: RollbackRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> UpResult {
        // One without a number turns a release round that somebody may be waiting for.
        guard request.release != nil else { return try await known(name).rollback(request, observer: observer) }
        return try await queued(name, "escale rollback", observer) { try await $0.rollback(request, observer: observer) }
    }

    package func command(_ name: ProjectName, _ command: ReleaseCommand) async throws -> ReleaseSummary {
        try await known(name).command(command)
    }

    private func known(_ name: ProjectName) throws -> ProjectSupervisor {
        guard let project = projects[name] else { throw EscaleError.projectUnknown(name) }
        return project
    }

    package func perform(
        _ name: ProjectName, _ request: ServicesRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> ServicesResult {
        _ = try known(name)
        return try await queued(name, "escale \(request.action.verb)", observer) {
            try await $0.perform(request, observer: observer)
        }
    }

    package func prepareRun(
        _ request: RunRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> ContainerHandle {
        try await queued(request.project.name, "escale run", observer) { try await $0.prepare(request, observer: observer) }
    }

    // MARK: One container

    /// The container of that id, of an id that begins so, or of that name; a running one before others.
    private func found(_ text: String) async throws -> (project: ProjectSupervisor, container: ContainerRecord) {
        var all: [(ProjectSupervisor, ContainerRecord)] = []
        for project in projects.values {
            for container in await project.containers.values where container.handle.answers(to: text) {
                all.append((project, container))
            }
        }
        let best = all.max { ($0.1.processes != nil ? 1 : 0, $0.1.createdAt) < ($1.1.processes != nil ? 1 : 0, $1.1.createdAt) }
        guard let best else { throw EscaleError.containerUnknown(text) }
        return best
    }

    /// As far that its streams can be attached to; its program waits for ``startContainer(_:)``.
    package func makeAttachable(_ name: String) async throws {
        let (project, container) = try await found(name)
        try await project.makeAttachable(container.id)
    }

    /// Does something to one container; to the only replica of a service as to the service.
    package func perform(
        _ name: String, _ request: ContainerRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        let (project, container) = try await found(name)
        let projectName = container.project
        try await queued(projectName, "escale container \(request.action.verb)", observer) { _ in
            try await project.perform(request, on: container, observer: observer)
        }
        if request.action == .remove { try await tidy() }
    }

    /// All projects' containers.
    package func containers() async -> [ContainerSummary] {
        var all: [ContainerSummary] = []
        for (_, project) in projects.sorted(by: { $0.key < $1.key }) { all += await project.containerSummaries }
        return all
    }

    /// The container as `docker inspect` shows it: one JSON object.
    package func inspect(_ name: String) async throws -> [UInt8] {
        let (project, container) = try await found(name)
        return try await project.inspection(of: container)
    }

    package func startContainer(_ name: String) async throws {
        let (project, container) = try await found(name)
        try await project.startContainer(container.id)
    }

    package func awaitEnd(of name: String) async throws -> ContainerEnd {
        do {
            let (project, container) = try await found(name)
            return try await project.awaitEnd(of: container.id)
        } catch {
            // One that goes with its end may have done so before anybody asks.
            for project in projects.values {
                if let end = await project.formerEnd(of: name) { return end }
            }
            throw error
        }
    }

    package func attachPlan(_ name: String) async throws -> AttachPlan {
        let (project, container) = try await found(name)
        return try await project.attachPlan(container)
    }

    /// What the project's running containers use now; all projects' for `nil`.
    package func samples(of name: ProjectName?) async throws -> [ContainerSample] {
        let chosen = name.map { name in projects.filter { $0.key == name } } ?? projects
        if let name, chosen.isEmpty { throw EscaleError.projectUnknown(name) }
        var running: [ContainerRecord] = []
        for project in chosen.values {
            running += await project.containers.values.filter { $0.processes != nil }
        }
        let sorted = running.sorted { ($0.project, $0.replica) < ($1.project, $1.replica) }
        return try await blocking { [engine = platform.engine] in
            let hostMemory = ByteCount(Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE))))
            return sorted.compactMap { container in
                container.processes.map {
                    ContainerSample(
                        container, engine.usage(of: container.id, pid: $0.container.pid), hostMemory: hostMemory)
                }
            }
        }
    }

    package func processes(of name: String) async throws -> [ProcessSummary] {
        let (_, container) = try await found(name)
        guard container.processes != nil else { throw EscaleError.containerNotRunning(container.name) }
        return try await blocking { [engine = platform.engine] in
            engine.processes(of: container.id).map {
                ProcessSummary(pid: $0.pid, parent: $0.parent, user: $0.user, time: $0.time, command: $0.command)
            }
        }
    }

    /// Copies between the host's files and those of a running container, as that sees them, mounts and all.
    package func copy(_ name: String, _ request: CopyRequest) async throws {
        let (_, container) = try await found(name)
        guard let processes = container.processes else { throw EscaleError.containerNotRunning(container.name) }
        try await blocking {
            let inside = try RootedDirectory("/proc/\(processes.container.pid)/root")
            // Whoever had that number may be somebody else by now.
            guard ProcessHandle(processes.container) != nil else { throw EscaleError.containerNotRunning(container.name) }
            let host = try RootedDirectory("/")
            var transfer = request.isFromContainer ? TreeTransfer(from: inside, to: host) : TreeTransfer(from: host, to: inside)
            transfer.follows = request.followsLinks
            transfer.makesParents = request.makesParents
            transfer.owner = request.keepsOwners ? nil : (0, 0)
            let paths = request.isFromContainer ? (request.containerPath, request.hostPath) : (request.hostPath, request.containerPath)
            try transfer.copy(paths.0, to: paths.1)
        }
    }

    /// The volumes of the host, with the projects and services that have them.
    package func volumes() async throws -> [VolumeSummary] {
        let owners = Dictionary(try platform.store.volumes().map { ($0.name, $0.project) }, uniquingKeysWith: { first, _ in first })
        let names = try await blocking { [volumes = platform.volumes] in try volumes.list() }
        var users: [VolumeName: Set<ServiceName>] = [:]
        for project in projects.values {
            for (volume, services) in await project.volumeUsers { users[volume, default: []].formUnion(services) }
        }
        return names.sorted().map {
            VolumeSummary(
                name: $0, project: owners[$0], mountpoint: platform.volumes.path($0), services: (users[$0] ?? []).sorted())
        }
    }

    /// Ends and removes a container that is no replica.
    package func endOneOff(_ name: String) async throws {
        let (project, container) = try await found(name)
        try await project.endOneOff(container.id)
    }

    /// Sends a signal to the container's first process.
    package func signal(_ name: String, _ signal: String) async throws {
        let (_, container) = try await found(name)
        let number = try Signals.number(signal)
        guard let processes = container.processes else { throw EscaleError.containerNotRunning(container.name) }
        platform.engine.signal(processes, number)
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
        if try platform.store.containerIDs().isEmpty { await platform.engine.tidy() }
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

    /// Who runs the service, where its project has none of its containers for that.
    package func elsewhere(_ service: ServiceName, of name: ProjectName) async -> ExternalService? {
        await projects[name]?.record?.project.elsewhere(service)
    }

    /// Containers whose output is not kept.
    package func containersWithoutLog(of name: ProjectName) throws -> Set<ContainerID> {
        Set(
            try platform.store.containers().records.filter { container in
                container.project == name && container.blueprint.logging?.isKept == false
            }.map(\.id))
    }

    /// Images that containers are made from, or that a kept release would make them from.
    package func imagesInUse() throws -> Set<Digest> {
        Set(try platform.store.containers().complete().flatMap { [$0.imageID] + ($0.mountedImages ?? []) })
            .union(try platform.store.releases().complete().flatMap { $0.images.values })
    }

    /// What the gateway counted, in Prometheus' text format.
    package func metrics() async throws -> String {
        GatewayMetrics(try await platform.gateway.counters(), containers: try platform.store.containers().records).text
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
            if let external = await elsewhere(request.service, of: name) { throw EscaleError.serviceElsewhere(external) }
            throw EscaleError.replicaMissing(ReplicaID(service: request.service, slot: request.index))
        }
        var words = ContainerCommand(
            request.command, terminal: request.tty, workingDirectory: request.workingDirectory,
            environment: request.environment)
        words.isDetached = request.detach
        words.isPrivileged = request.isPrivileged
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

extension ContainerSample {
    fileprivate init(_ container: ContainerRecord, _ usage: ContainerUsage, hostMemory: ByteCount) {
        self.init(
            container: container.handle, service: container.replica.service,
            project: container.project, at: .now, cpu: usage.cpu, memory: usage.memory,
            memoryLimit: usage.memoryLimit ?? hostMemory, received: usage.received, sent: usage.sent, read: usage.read,
            written: usage.written, processes: usage.processes)
    }
}

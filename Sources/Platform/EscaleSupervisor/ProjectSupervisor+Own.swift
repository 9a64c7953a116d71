import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscalePlan
import EscaleSystem
import Glibc

/// Containers that are made without a compose file: each is a service of one project that no file has.
extension ProjectSupervisor {
    /// The request with the containers that there are already, whose services it doesn't know.
    func withOwnContainers(_ request: UpRequest) throws(EscaleError) -> UpRequest {
        guard name == .own else { return request }
        if let taken = request.services.first(where: { service in containers.values.contains { $0.replica.service == service } }) {
            throw EscaleError(
                .init("container.name-taken"), "there is a container \(taken) already",
                hint: "choose another `--name`, or remove it: `escale container rm -f \(taken)`")
        }
        var request = request
        request.project = merged(request.project)
        return request
    }

    func withOwnContainers(_ request: RunRequest) -> RunRequest {
        guard name == .own else { return request }
        var request = request
        request.project = merged(request.project)
        request.project.services.removeAll { $0.name == request.service.name }
        return request
    }

    private func merged(_ project: Project) -> Project {
        guard let former = record?.project else { return project }
        var merged = project
        merged.services = former.services.filter { project.service($0.name) == nil } + project.services
        merged.networks = former.networks.filter { one in !project.networks.contains { $0.key == one.key } } + project.networks
        merged.volumes = former.volumes.filter { one in !project.volumes.contains { $0.key == one.key } } + project.volumes
        return merged
    }

    /// Forgets what has no container any more, when its turn among the commands comes.
    func forgetOwnContainersLater() {
        guard name == .own else { return }
        Task {
            do {
                try await commands.run("Project \(name)", "the removal of a container that has ended", { _ in }) {
                    try await forgetOwnContainers()
                }
            } catch {
                platform.log.error("a container can't be forgotten", ["error": "\(error)"])
            }
        }
    }

    /// Forgets what has no container any more; with the last one goes the project. Part of a command: nobody makes another
    /// one meanwhile.
    private func forgetOwnContainers() async throws {
        guard name == .own, var next = record else { return }
        let left = Set(containers.values.map(\.replica.service))
        guard next.desired.services.contains(where: { !left.contains($0.name) }) || left.isEmpty else { return }
        next.desired.services.removeAll { !left.contains($0.name) }
        next.project.services.removeAll { !left.contains($0.name) }
        guard !left.isEmpty else { return try await down(DownRequest()) { _ in } }
        try platform.store.save(next)
        record = next
    }

    // MARK: One container of any project

    func perform(
        _ request: ContainerRequest, on container: ContainerRecord, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        if container.isOneOff == true {
            try await performAlone(request, on: container)
        } else {
            let service = container.replica.service
            let siblings = replicaContainers.filter { $0.replica.service == service }
            guard siblings.count == 1 else {
                throw EscaleError(
                    .init("container.replica"), "\(container.name) is one of \(siblings.count) replicas of service \(service)",
                    hint: "do it to all of them: `escale -p \(name) \(request.action.verb) \(service)`")
            }
            if request.action == .remove, container.processes != nil, !request.stopsFirst {
                throw Self.stillRuns(container)
            }
            var all = ServicesRequest(request.action, [service], timeout: request.timeout)
            all.signal = request.signal
            all.stopsFirst = request.stopsFirst
            all.removesVolumes = request.removesVolumes
            _ = try await perform(all, observer: observer)
        }
        try await forgetOwnContainers()
    }

    private func performAlone(_ request: ContainerRequest, on container: ContainerRecord) async throws {
        let id = container.id
        switch request.action {
        case .start: try await startContainer(id)
        case .stop: try await stopAlone(container, timeout: request.timeout)
        case .restart:
            try await stopAlone(container, timeout: request.timeout)
            try await startContainer(id)
        case .kill:
            guard let processes = container.processes else { throw EscaleError.containerNotRunning(container.name) }
            platform.engine.signal(processes, try Signals.number(request.signal ?? "KILL"))
        case .pause:
            guard container.processes != nil else { throw EscaleError.containerNotRunning(container.name) }
            try await freeze(id)
        case .unpause: if container.isPaused == true { try await resume(id) }
        case .remove:
            guard container.processes == nil || request.stopsFirst else { throw Self.stillRuns(container) }
            try await endOneOff(id)
        }
    }

    func stopAlone(_ container: ContainerRecord, timeout: Duration?) async throws {
        guard let processes = container.processes else { return }
        stopping.insert(container.id)
        defer { stopping.remove(container.id) }
        if container.isPaused == true { try await resume(container.id) }
        let grace = timeout ?? recipes[VersionID(container.replica)]?.service.stopGracePeriod ?? .seconds(10)
        try await platform.engine.stop(processes, signal: container.stopSignal, grace: grace)
        await exits[container.id]?.value
    }

    private static func stillRuns(_ container: ContainerRecord) -> EscaleError {
        EscaleError(
            .init("container.running"), "container \(container.name) runs", hint: "stop it first, or give --force")
    }
}

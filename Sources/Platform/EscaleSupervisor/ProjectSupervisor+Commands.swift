import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleImages
import EscaleOCI
import EscalePlan
import EscaleSystem
import Synchronization

/// What the commands ask for, as goals, and when they are content.
extension ProjectSupervisor {
    /// Brings the project to what its file says.
    func up(_ request: UpRequest, observer: @escaping @Sendable (ProgressEvent) -> Void) async throws -> UpResult {
        let project = request.project
        try await checkGround(project)
        let wanted = try selection(request)
        var newRecipes: [ServiceName: Recipe] = [:]
        for service in project.services where wanted.contains(service.name) {
            newRecipes[service.name] = try recipe(service, project)
        }
        var desired = DesiredProject(
            goal: .up, requestedAt: .now, networks: project.networks.filter { !$0.isExternal }.map(\.name).sorted(),
            volumes: project.volumes.filter { !$0.isExternal }.map(\.name).sorted(),
            services: try newRecipes.values.map { try $0.desired }.sorted { $0.name < $1.name },
            removeOrphans: request.removeOrphans)
        var salts = record?.salts ?? [:]
        if request.forceRecreate {
            for service in desired.services { salts[service.name] = desired.requestedAt.description }
        }
        for index in desired.services.indices {
            desired.services[index].fingerprint += salts[desired.services[index].name] ?? ""
        }
        recipes = newRecipes
        let known = Set(project.services.map(\.name))
        let orphans = containers.values.filter { !known.contains($0.replica.service) }.map(\.name).sorted()
        let counter = StepCounter(observer)
        try await pursue(
            ProjectRecord(project: project, desired: desired, images: newRecipes.mapValues(\.imageID), salts: salts),
            stopTimeout: nil, timeout: request.waitTimeout, observer: counter.observe
        ) { desired, observed in
            try await self.check(desired, observed, wait: request.wait)
        }
        return UpResult(changed: counter.changed, orphans: request.removeOrphans ? [] : orphans)
    }

    /// Removes containers and networks, and, if asked, volumes.
    func down(_ request: DownRequest, observer: @escaping @Sendable (ProgressEvent) -> Void) async throws {
        var next =
            record
            ?? ProjectRecord(
                project: Project(name: name, workingDirectory: "/"),
                desired: DesiredProject(goal: .stopped, requestedAt: .now))
        guard exists || (request.removeVolumes && !volumes.isEmpty) else { return }
        next.desired.goal = .down(removeVolumes: request.removeVolumes)
        next.desired.requestedAt = .now
        try await pursue(next, stopTimeout: request.timeout, timeout: nil, observer: observer) { _, _ in !self.exists }
    }

    /// Stops the containers and keeps them.
    func stop(_ request: StopRequest, observer: @escaping @Sendable (ProgressEvent) -> Void) async throws {
        guard var next = record else { return }
        next.desired.goal = .stopped
        next.desired.requestedAt = .now
        try await pursue(next, stopTimeout: request.timeout, timeout: nil, observer: observer) { _, observed in
            !observed.containers.contains(where: \.isRunning)
        }
    }

    // MARK: Before

    /// The services to have: those asked for and what they depend on, besides those there already.
    private func selection(_ request: UpRequest) throws -> Set<ServiceName> {
        let all = Set(request.project.services.map(\.name))
        guard !request.services.isEmpty else { return all }
        if let unknown = request.services.first(where: { !all.contains($0) }) {
            throw EscaleError.serviceUnknown(unknown, project: request.project.name)
        }
        let present = Set(record?.desired.services.map(\.name) ?? []).intersection(all)
        return present.union(request.project.closure(of: request.services))
    }

    /// A service's recipe with the image as it is now.
    func recipe(_ service: Service, _ project: Project, imageID: Digest? = nil) throws -> Recipe {
        let imageName = service.imageName(in: project.name)
        let image = try storedImage(imageID?.description ?? imageName, for: service)
        return Recipe(
            service: service, project: project, imageName: imageName, imageID: image.id, image: image.config.config)
    }

    private func storedImage(_ name: String, for service: Service) throws -> StoredImage {
        do {
            return try platform.images.image(name)
        } catch {
            guard error.code == .imageNotFound else { throw error }
            throw EscaleError(error.code, "service \(service.name): \(error.message)", hint: error.hint)
        }
    }

    /// What must hold on the host before anything is begun: external objects exist, ports are free.
    private func checkGround(_ project: Project) async throws {
        for network in project.networks where network.isExternal {
            guard await platform.network.exists(network.name) else {
                throw EscaleError.externalMissing("network", network.name)
            }
        }
        let existing = try await blocking { [platform] in Set(try platform.volumes.list()) }
        for volume in project.volumes where volume.isExternal && !existing.contains(volume.name) {
            throw EscaleError.externalMissing("volume", volume.name)
        }
        for port in project.services.flatMap(\.ports) where port.hostPort != nil {
            if let holder = await platform.network.holder(of: port, otherThan: name) {
                throw EscaleError.portTaken(port, by: holder)
            }
            if let listener = try await blocking({ PortCheck.listener(on: port) }) {
                throw EscaleError.portTaken(port, by: listener)
            }
        }
    }

    // MARK: Meanwhile

    /// Whether an `up` has got there; throws why it never will.
    private func check(_ desired: DesiredProject, _ observed: ObservedProject, wait: Bool) async throws -> Bool {
        switch progress(of: desired, observed, healthy: wait) {
        case .met: return true
        case .pending: return false
        case .failed(let failure):
            let container = failure.container.flatMap { containers[$0] }
            let engine = platform.engine
            let log = try await blocking { failure.container.map { engine.logTail(of: $0) } ?? "" }
            throw EscaleError.upFailed(
                failure, name: container?.name ?? failure.service.rawValue, log: log,
                probe: failure.kind == .unhealthy ? container?.reason : nil)
        }
    }
}


/// Passes progress on and notes whether anything was done at all.
private final class StepCounter: Sendable {
    private let observer: @Sendable (ProgressEvent) -> Void
    private let done = Atomic(false)

    init(_ observer: @escaping @Sendable (ProgressEvent) -> Void) { self.observer = observer }

    var changed: Bool { done.load(ordering: .relaxed) }

    @Sendable func observe(_ event: ProgressEvent) {
        done.store(true, ordering: .relaxed)
        observer(event)
    }
}

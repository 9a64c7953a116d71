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
        let wanted = try selection(request)
        try await checkGround(project, project.services.filter { wanted.contains($0.name) })
        let (next, nextRecipes) = try draft(request, wanted)
        recipes = nextRecipes
        let known = Set(project.services.map(\.name))
        let orphans = containers.values.filter { !known.contains($0.replica.service) }.map(\.name).sorted()
        let counter = StepCounter(observer)
        try await pursue(next, stopTimeout: nil, timeout: request.waitTimeout, observer: counter.observe) {
            desired, observed in
            var asked = desired
            asked.services.removeAll { !wanted.contains($0.name) }
            return try await self.check(asked, observed, wait: request.wait)
        }
        return UpResult(changed: counter.changed, orphans: request.removeOrphans ? [] : orphans)
    }

    /// The record that an `up` makes true, and what its containers are made from.
    private func draft(
        _ request: UpRequest, _ wanted: Set<ServiceName>
    ) throws -> (record: ProjectRecord, recipes: [ServiceName: Recipe]) {
        let project = request.project
        let now = Timestamp.now
        var next = ProjectRecord(
            project: project,
            desired: DesiredProject(
                goal: .up, requestedAt: now, services: untouchedServices(project, wanted),
                removeOrphans: request.removeOrphans),
            salts: record?.salts ?? [:])
        var nextRecipes: [ServiceName: Recipe] = [:]
        for service in next.desired.services {
            nextRecipes[service.name] = recipes[service.name]
            next.images[service.name] = record?.images[service.name]
        }
        for service in project.services where wanted.contains(service.name) {
            let recipe = try recipe(service, project)
            if request.forceRecreate { next.salts[service.name] = now.description }
            var desired = try recipe.desired
            desired.fingerprint += next.salts[service.name] ?? ""
            next.desired.services.append(desired)
            nextRecipes[service.name] = recipe
            next.images[service.name] = recipe.imageID
        }
        next.desired.services.sort { $0.name < $1.name }
        let services = next.desired.services.compactMap { project.service($0.name) }
        next.desired.networks = project.networks(of: services).filter { !$0.isExternal }.map(\.name).sorted()
        next.desired.volumes = project.volumes(of: services).filter { !$0.isExternal }.map(\.name).sorted()
        return (next, nextRecipes)
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

    /// The services asked for and what they depend on.
    private func selection(_ request: UpRequest) throws -> Set<ServiceName> {
        if let unknown = request.services.first(where: { request.project.service($0) == nil }) {
            throw EscaleError.serviceUnknown(unknown, project: request.project.name)
        }
        return request.project.closure(of: request.services)
    }

    /// The services that are there and that nobody asked for this time: they stay as they were asked for last.
    private func untouchedServices(_ project: Project, _ wanted: Set<ServiceName>) -> [DesiredService] {
        guard let former = record?.desired, former.goal == .up else { return [] }
        return former.services.filter { !wanted.contains($0.name) && project.service($0.name) != nil }.map { service in
            var service = service
            service.requestedAt = service.requestedAt ?? former.requestedAt
            return service
        }
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
    private func checkGround(_ project: Project, _ services: [Service]) async throws {
        for network in project.networks(of: services) where network.isExternal {
            guard await platform.network.exists(network.name) else {
                throw EscaleError.externalMissing("network", network.name)
            }
        }
        let existing = try await blocking { [platform] in Set(try platform.volumes.list()) }
        for volume in project.volumes(of: services) where volume.isExternal && !existing.contains(volume.name) {
            throw EscaleError.externalMissing("volume", volume.name)
        }
        for port in services.flatMap(\.ports) where port.hostPort != nil {
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
        switch progress(of: desired, observed, healthy: wait, now: .now) {
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

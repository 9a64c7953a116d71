import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleOCI
import EscalePlan
import EscaleSystem

/// Containers that one command is run in (`escale run`): made like a replica, and no replica of the planner's.
extension ProjectSupervisor {
    /// Makes the container and all that it needs, and doesn't start it yet.
    func prepare(
        _ request: RunRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> ContainerHandle {
        let service = request.service
        let request = withOwnContainers(request)
        try await prepareGround(for: request, observer)
        var project = request.project
        if let index = project.services.firstIndex(where: { $0.name == service.name }) {
            project.services[index] = service
        }
        let recipe = try recipe(service, project)
        let name = request.name ?? "\(name)-\(service.name)-run-\(hexadecimal(UInt64.random(in: 0 ... .max)).prefix(12))"
        if containers.values.contains(where: { $0.name == name }) {
            throw EscaleError(
                .init("container.name-taken"), "there is a container \(name) already",
                hint: "choose another `--name`, or remove it: `escale container rm -f \(name)`")
        }
        let generation = record?.desired.service(service.name)?.generation ?? 1
        let replica = ReplicaID(service: service.name, slot: freeOneOffSlot(of: service.name), generation: generation)
        if recipes[VersionID(replica)] == nil { recipes[VersionID(replica)] = recipe }
        let id = try await make(recipe, replica, name: name, fingerprint: "") { container in
            container.isOneOff = true
            container.isRemovedAtExit = request.isRemovedAtExit ? true : nil
            container.hasServiceNames = request.usesAliases ? true : nil
            if !request.publishesPorts { container.ports = [] }
            if request.readsInput { container.blueprint.input = .untilDetached }
        }
        return ContainerHandle(id: id, name: name)
    }

    /// What the service depends on runs; its networks and volumes exist.
    private func prepareGround(
        for request: RunRequest, _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        let project = request.project
        let dependencies = request.withoutDependencies ? [] : project.closure(of: [request.service.name]).subtracting([request.service.name])
        var up = UpRequest(project: project, services: dependencies.sorted(), removeOrphans: request.removeOrphans)
        up.withoutDependencies = true
        up.credentials = request.credentials
        try await bringUp(up, selected: dependencies, besides: [request.service], observer)
    }

    /// Slots of replicas are small numbers: these are never taken for one.
    private static let firstOneOffSlot = 1_000_000

    /// Another one at each call.
    func freeOneOffSlot(of service: ServiceName) -> Int {
        let taken = containers.values.filter { $0.replica.service == service && $0.isOneOff == true }.map(\.replica.slot)
        lastOneOffSlot = max(Self.firstOneOffSlot, (taken.max() ?? 0) + 1, lastOneOffSlot + 1)
        return lastOneOffSlot
    }

    // MARK: One container

    /// A start that stops short of the container's program, until somebody is attached.
    struct HeldStart {
        let isMade = Latch()
        let mayGo = Latch()
        let start: Task<Void, any Error>
    }

    /// How long a container that is made waits for somebody to attach.
    private static let attachLimit = Duration.seconds(30)

    /// Makes the container's processes, so that its streams can be attached to, and waits with its program for
    /// ``startContainer(_:)``; not for ever.
    func makeAttachable(_ id: ContainerID) async throws {
        guard let container = containers[id] else { throw EscaleError.containerUnknown(id.short) }
        guard container.processes == nil, heldStarts[id] == nil else { return }
        let held = HeldStart(start: Task { try await start(id, because: .requested) })
        heldStarts[id] = held
        let limit = Task {
            try await Task.sleep(for: Self.attachLimit)
            held.mayGo.break(
                with: EscaleError(
                    .init("container.not-attached"), "nobody attached to container \(container.name)",
                    hint: "run the command again"))
        }
        Task {
            let outcome = await held.start.result
            limit.cancel()
            held.isMade.settle(outcome)
        }
        do { try await held.isMade.wait() } catch {
            heldStarts[id] = nil
            throw error
        }
    }

    /// Starts a container that was made and not started yet, or has ended.
    func startContainer(_ id: ContainerID) async throws {
        if let held = heldStarts.removeValue(forKey: id) {
            held.mayGo.open()
            return try await held.start.value
        }
        guard let container = containers[id] else { throw EscaleError.containerUnknown(id.short) }
        guard container.processes == nil else { return }
        try await start(id, because: .requested)
    }

    /// Waits for the end of the container's current run; at once where it doesn't run.
    func awaitEnd(of id: ContainerID) async throws -> ContainerEnd {
        while true {
            guard let container = containers[id] else {
                if let end = formerEnd(of: id.rawValue) { return end }
                throw EscaleError.containerUnknown(id.short)
            }
            if case .exited(let code) = container.phase {
                if container.isRemovedAtExit == true {
                    // Who waits for such a one finds nothing of it afterwards.
                    try await Task.sleep(for: .milliseconds(10))
                    continue
                }
                return ContainerEnd(container: container.handle, exitCode: code)
            }
            guard let exit = exits[id] else {
                throw EscaleError(
                    .init("container.not-running"), "container \(container.name) was never started",
                    hint: "start it with `escale start \(container.replica.service)`")
            }
            await exit.value
            try Task.checkCancellation()
        }
    }

    /// How a container ended that is gone, by its id.
    func formerEnd(of id: String) -> ContainerEnd? {
        formerEnds.last { $0.container.id.rawValue == id }
    }

    func attachPlan(_ container: ContainerRecord) throws(EscaleError) -> AttachPlan {
        AttachPlan(
            container: container.handle,
            directory: platform.engine.attachDirectory(of: container.id),
            hasTerminal: container.blueprint.spec.terminal,
            readsInput: container.blueprint.spec.terminal || container.blueprint.input != nil)
    }

    /// A one-off container that goes with its end is removed; who waits for its exit code still gets it.
    func removeIfFinished(_ id: ContainerID) async throws {
        guard let container = containers[id], container.isRemovedAtExit == true, case .exited(let code) = container.phase
        else { return }
        formerEnds.append(ContainerEnd(container: container.handle, exitCode: code))
        formerEnds = formerEnds.suffix(256)
        try await remove(id, because: .requested)
        forgetOwnContainersLater()
    }
}

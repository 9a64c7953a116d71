import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscalePlan
import EscaleRelease
import EscaleSystem
import Glibc

/// Commands on some of the services. What they ask for is kept like everything that is desired, so that it holds when the
/// daemon is killed and over a reboot, until the next `up` or `start`.
extension ProjectSupervisor {
    func perform(
        _ request: ServicesRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> ServicesResult {
        try await requireTakenUp()
        guard let record else { throw EscaleError.projectUnknown(name) }
        let chosen = try chosen(request, in: record)
        try refuseDuringRelease(chosen, record)
        let touched = replicaContainers.filter { chosen.contains($0.replica.service) }
        switch request.action {
        case .start: try await start(chosen, request, record, observer)
        case .stop: try await hold(chosen, .stopped, request, record, observer)
        case .restart: try await restart(chosen, request, record, observer)
        case .kill: try await kill(chosen, request, record, observer)
        case .pause: try await pause(touched, observer)
        case .unpause: try await unpause(touched, observer)
        case .remove: return try await remove(chosen, request, record, observer)
        }
        return ServicesResult(containers: touched.map(\.name).sorted())
    }

    private func chosen(_ request: ServicesRequest, in record: ProjectRecord) throws(EscaleError) -> Set<ServiceName> {
        // What a command was run in can be removed, and nothing else.
        let present = request.action == .remove ? Array(containers.values) : replicaContainers
        let here = Set(record.desired.services.map(\.name)).union(present.map(\.replica.service))
        let services = request.services
        for service in services where !here.contains(service) {
            if let external = record.project.elsewhere(service) { throw EscaleError.serviceElsewhere(external) }
            guard record.project.service(service) != nil else { throw EscaleError.serviceUnknown(service, project: name) }
            throw EscaleError(
                .init("service.no-containers"), "service \(service) has no container",
                hint: "make it with `escale up -d \(service)`, or `escale create \(service)`")
        }
        return services.isEmpty ? here : Set(services)
    }

    /// A release decides by what it sees of its services: nobody else moves them meanwhile.
    private func refuseDuringRelease(_ services: Set<ServiceName>, _ record: ProjectRecord) throws(EscaleError) {
        guard let release, release.isProtected, !release.release.isTerminal, release.number == record.release,
            let service = release.release.changes.map(\.service).first(where: services.contains)
        else { return }
        throw EscaleError(
            .init("release.under-way"), "release \(release.number) is replacing \(service) just now",
            hint: "wait for its end with `escale release watch`, or go back with `escale release abort`")
    }

    // MARK: Start, stop, restart

    private func start(
        _ chosen: Set<ServiceName>, _ request: ServicesRequest, _ record: ProjectRecord,
        _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        let wanted = record.project.closure(of: Array(chosen))
        try await unpause(containers.values.filter { chosen.contains($0.replica.service) }, observer)
        var next = record
        resumeGoal(&next)
        let now = now
        for index in next.desired.services.indices where wanted.contains(next.desired.services[index].name) {
            let service = next.desired.services[index].name
            // What a service depends on is started along as far as it is there.
            guard chosen.contains(service) || containers.values.contains(where: { $0.replica.service == service }) else { continue }
            next.desired.services[index].hold = nil
            next.desired.services[index].requestedAt = now
        }
        try await pursue(next, stopTimeout: nil, timeout: nil, observer: observer) { desired, observed in
            try await self.check(self.only(chosen, of: desired), observed, wait: false)
        }
    }

    /// Turns a project that was stopped as a whole into one of which each service is.
    private func resumeGoal(_ next: inout ProjectRecord) {
        guard next.desired.goal == .stopped else { return }
        next.desired.goal = .up
        for index in next.desired.services.indices where next.desired.services[index].hold == nil {
            next.desired.services[index].hold = .stopped
        }
    }

    private func only(_ chosen: Set<ServiceName>, of desired: DesiredProject) -> DesiredProject {
        var desired = desired
        desired.services.removeAll { !chosen.contains($0.name) }
        return desired
    }

    private func hold(
        _ chosen: Set<ServiceName>, _ hold: DesiredService.Hold, _ request: ServicesRequest, _ record: ProjectRecord,
        signal: Int32? = nil, _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        var next = record
        if hold == .stopped, request.services.isEmpty {
            next.desired.goal = .stopped
            next.desired.requestedAt = now
        } else {
            resumeGoal(&next)
            for index in next.desired.services.indices where chosen.contains(next.desired.services[index].name) {
                next.desired.services[index].hold = hold
            }
        }
        try await pursue(next, stopTimeout: request.timeout, stopSignal: signal, timeout: nil, observer: observer) {
            _, observed in
            !observed.containers.contains { chosen.contains($0.replica.service) && ($0.isRunning || hold == .removed) }
        }
    }

    private func restart(
        _ chosen: Set<ServiceName>, _ request: ServicesRequest, _ record: ProjectRecord,
        _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        let concerned = request.leavesDependents ? chosen : withCompanions(chosen, record)
        try await unpause(containers.values.filter { concerned.contains($0.replica.service) }, observer)
        var next = record
        resumeGoal(&next)
        let now = now
        for index in next.desired.services.indices where concerned.contains(next.desired.services[index].name) {
            let isHeld = next.desired.services[index].hold != nil
            if !chosen.contains(next.desired.services[index].name), isHeld { continue }
            next.desired.services[index].round = (next.desired.services[index].round ?? 0) + 1
            next.desired.services[index].hold = nil
            next.desired.services[index].requestedAt = now
        }
        try await pursue(next, stopTimeout: request.timeout, timeout: nil, observer: observer) { desired, observed in
            try await self.check(self.only(concerned, of: desired), observed, wait: false)
        }
    }

    /// The services and those that the file restarts with them, directly or through others.
    private func withCompanions(_ services: Set<ServiceName>, _ record: ProjectRecord) -> Set<ServiceName> {
        var all = services
        var queue = Array(services)
        while let name = queue.popLast() {
            for service in record.desired.services
            where service.dependencies.contains(where: { $0.service == name && $0.restart }) {
                if all.insert(service.name).inserted { queue.append(service.name) }
            }
        }
        return all
    }

    /// The generations of the services that a replica is to be restarted with, as they are when it is started.
    func generations(seenBy service: DesiredService?) -> [ServiceName: Int]? {
        guard let service else { return nil }
        let pairs = service.dependencies.filter(\.restart).compactMap { dependency in
            record?.desired.service(dependency.service).map { (dependency.service, $0.generation) }
        }
        return pairs.isEmpty ? nil : Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Kill

    /// SIGKILL, and a container's own stop signal, end it for good; another signal is only sent.
    private func kill(
        _ chosen: Set<ServiceName>, _ request: ServicesRequest, _ record: ProjectRecord,
        _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        let signal = try Signals.number(request.signal ?? "KILL")
        let targets = containers.values.filter { chosen.contains($0.replica.service) && $0.processes != nil }
        if !targets.isEmpty, targets.allSatisfy({ signal == SIGKILL || signal == $0.stopSignal }) {
            var request = request
            if signal == SIGKILL { request.timeout = .zero }
            return try await hold(chosen, .stopped, request, record, signal: signal, observer)
        }
        for container in targets {
            guard let processes = container.processes else { continue }
            platform.engine.signal(processes, signal)
            observer(
                ProgressEvent(title(container.replica), .done, "Killed", reason: "signal \(signal) sent", at: .now))
            platform.events.record("container.signalled", container.name, of: name, ["signal": "\(signal)"])
        }
    }

    // MARK: Pause

    private func pause(
        _ touched: [ContainerRecord], _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        for container in touched.sorted(by: { $0.replica < $1.replica })
        where containers[container.id]?.processes != nil && containers[container.id]?.isPaused != true {
            observer(ProgressEvent(title(container.replica), .working, "Pausing", at: .now))
            try await freeze(container.id)
            observer(ProgressEvent(title(container.replica), .done, "Paused", at: .now))
        }
        try await publish()
    }

    private func unpause(
        _ touched: [ContainerRecord], _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        let paused = touched.filter { $0.isPaused == true }.sorted { $0.replica < $1.replica }
        for container in paused where containers[container.id]?.isPaused == true {
            observer(ProgressEvent(title(container.replica), .working, "Unpausing", at: .now))
            try await resume(container.id)
            observer(ProgressEvent(title(container.replica), .done, "Unpaused", at: .now))
        }
        if !paused.isEmpty { try await publish() }
    }

    /// What is to be up goes on, and doesn't stay frozen.
    func unpauseForUp(
        _ services: Set<ServiceName>, _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        try await unpause(containers.values.filter { services.contains($0.replica.service) }, observer)
    }

    /// Freezes a container's processes where they are.
    func freeze(_ id: ContainerID) async throws {
        try await setPaused(id, true) { try await platform.engine.pause(id, name: $0) }
    }

    /// Lets a paused container's processes go on.
    func resume(_ id: ContainerID) async throws {
        try await setPaused(id, false) { try await platform.engine.resume(id, name: $0) }
    }

    /// Written down first: what can't be written is not done. Where it then comes to nothing, or the daemon is killed,
    /// the kernel knows how it is.
    private func setPaused(
        _ id: ContainerID, _ isPaused: Bool, by change: (_ name: String) async throws -> Void
    ) async throws {
        guard let container = containers[id] else { return }
        try record(id, isPaused: isPaused)
        do { try await change(container.name) } catch {
            // Where that can't be written either, the next command or the next daemon puts it right.
            try? await recordFreezer(of: id, unknown: !isPaused)
            throw error
        }
        platform.events.record(isPaused ? "container.paused" : "container.unpaused", container.name, of: name)
    }

    /// Records of a running container what the kernel says: somebody else may have frozen it or let it go on, or a daemon
    /// was killed while it did.
    func adoptPause(of id: ContainerID) async throws {
        let engine = platform.engine
        guard let container = containers[id], let isFrozen = try await blocking({ engine.isFrozen(id) }),
            isFrozen != (container.isPaused == true)
        else { return }
        // What was begun may be under way still.
        try await engine.settle(id)
        try await recordFreezer(of: id, unknown: isFrozen)
        guard let found = containers[id], found.isPaused != container.isPaused, found.processes != nil else { return }
        platform.events.record(
            found.isPaused == true ? "container.paused" : "container.unpaused", found.name, of: name, ["reason": "found so"])
    }

    /// - Parameter unknown: how it is where nothing tells.
    private func recordFreezer(of id: ContainerID, unknown: Bool) async throws {
        let engine = platform.engine
        let isFrozen = try await blocking { engine.isFrozen(id) } ?? unknown
        guard let container = containers[id], isFrozen != (container.isPaused == true) else { return }
        try record(id, isPaused: isFrozen)
    }

    /// What has ended meanwhile isn't paused any more.
    private func record(_ id: ContainerID, isPaused: Bool) throws {
        guard containers[id]?.processes != nil else { return }
        try update(id) { container in
            container.isPaused = isPaused ? true : nil
            container.readySince = container.isReady ? container.readySince ?? now : nil
        }
    }

    // MARK: Remove

    private func remove(
        _ chosen: Set<ServiceName>, _ request: ServicesRequest, _ record: ProjectRecord,
        _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> ServicesResult {
        let oneOffs = containers.values.filter {
            $0.isOneOff == true && chosen.contains($0.replica.service) && ($0.processes == nil || request.stopsFirst)
        }
        let running = Set(
            replicaContainers.filter { $0.processes != nil }.map(\.replica.service))
        let going = request.stopsFirst ? chosen : chosen.subtracting(running)
        let gone = replicaContainers.filter { going.contains($0.replica.service) } + oneOffs
        let volumes = request.removesVolumes ? anonymousVolumes(of: going) : []
        if gone.contains(where: { $0.isOneOff != true }) {
            var request = request
            request.services = Array(going)
            try await hold(going, .removed, request, record, observer)
        }
        for container in oneOffs { try await endOneOff(container.id) }
        for volume in volumes { try await removeVolume(volume) }
        return ServicesResult(containers: gone.map(\.name).sorted())
    }

    private func anonymousVolumes(of services: Set<ServiceName>) -> [VolumeName] {
        containers.values.filter { services.contains($0.replica.service) }.flatMap { container -> [VolumeName] in
            guard let recipe = recipes[VersionID(container.replica)] else { return [] }
            return recipe.mounts.compactMap { mount in
                guard case .anonymous = mount.source else { return nil }
                return recipe.volume(of: mount, slot: container.replica.slot)
            }
        }.filter(volumes.contains)
    }

    /// The services whose containers have a volume mounted, by volume.
    var volumeUsers: [VolumeName: Set<ServiceName>] {
        var users: [VolumeName: Set<ServiceName>] = [:]
        for container in containers.values {
            guard let recipe = recipes[VersionID(container.replica)] else { continue }
            for mount in recipe.mounts {
                guard let volume = recipe.volume(of: mount, slot: container.replica.slot) else { continue }
                users[volume, default: []].insert(container.replica.service)
            }
        }
        return users
    }

    // MARK: One-off containers

    /// The containers that are replicas of services.
    var replicaContainers: [ContainerRecord] { containers.values.filter { $0.isOneOff != true } }

    /// Whether the planner looks after the container: not after one that a command was run in, until all goes, or its service did
    /// that it was to prepare.
    func isPlanned(_ container: ContainerRecord) -> Bool {
        guard container.isOneOff == true else { return true }
        if case .down = record?.desired.goal { return true }
        return container.preparation != nil && container.processes == nil && record?.desired.service(container.replica.service) == nil
    }

    /// Ends a one-off container and removes it.
    func endOneOff(_ id: ContainerID) async throws {
        guard let container = containers[id] else { return }
        try await stopAlone(container, timeout: nil)
        guard containers[id] != nil else { return }
        try await remove(id, because: .requested)
    }
}

import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleImages
import EscaleNetlink
import EscaleNetwork
import EscaleOCI
import EscalePlan
import EscaleRelease
import EscaleSystem
import Synchronization

/// What the commands ask for, as goals, and when they are content.
extension ProjectSupervisor {
    /// Brings the project to what its file says: by a release where that changes a version of a service.
    func up(_ given: UpRequest, observer: @escaping @Sendable (ProgressEvent) -> Void) async throws -> UpResult {
        try await requireTakenUp()
        let request = try withOwnContainers(given)
        let project = request.project
        let wanted = try selection(request)
        try await checkGround(project, project.services.filter { wanted.contains($0.name) })
        let known = Set(project.services.map(\.name) + (project.disabledServices ?? []) + project.elsewhere.map(\.service))
        let orphans = containers.values.filter { !known.contains($0.replica.service) }.map(\.name).sorted()
        let (next, recipes) = try draft(request, wanted)
        // All of the host's rules are read for it: not for a project that is up already.
        if !isThere(next), let warning = try await platform.network.firewallWarning() {
            observer(ProgressEvent("Host firewall", .warning, "Closed", reason: warning, at: .now))
        }
        for external in project.elsewhere { observer(await announcement(of: external)) }
        if request.isDryRun { return try preview(next, orphans: orphans, observer) }
        try tellChanges(to: next, recipes, observer)
        try await unpauseForUp(wanted, observer)
        let counter = StepCounter(observer)
        let made = try await bring(request, wanted, next, recipes, counter.observe)
        return UpResult(
            changed: counter.changed, orphans: request.removeOrphans ? [] : orphans, release: made.flatMap(protectedSummary(of:)))
    }

    /// Where the service runs; a warning where the name would stand for nothing.
    private func announcement(of external: ExternalService) async -> ProgressEvent {
        let isKnown = await HostLookup.answer(of: external.host, within: .seconds(2)) != nil
        return ProgressEvent(
            "Service \(external.service)", isKnown ? .done : .warning, "Elsewhere",
            reason: isKnown ? "at \(external.address)" : "this host's resolver knows no address of \(external.host)", at: .now)
    }

    /// Whether nothing is to be done for the draft.
    private func isThere(_ draft: ProjectRecord) -> Bool {
        let (next, made) = planRelease(draft, trigger: "up", strategy: nil, isRollback: false)
        return made == nil && plan(desired: next.desired, observed: observed, now: now).steps.isEmpty
    }

    /// Brings up the services that others need, and the networks and volumes of those beside them that are made otherwise.
    func bringUp(
        _ request: UpRequest, selected: Set<ServiceName>, besides: [Service],
        _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws {
        try await checkGround(
            request.project, request.project.services.filter { selected.contains($0.name) } + besides, ports: false)
        let (next, recipes) = try draft(request, selected, besides: besides)
        _ = try await bring(request, selected, next, recipes, observer)
    }

    private func bring(
        _ request: UpRequest, _ wanted: Set<ServiceName>, _ next: ProjectRecord, _ recipes: [ServiceName: Recipe],
        _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> Int? {
        let made = try await pursue(
            next, recipes, trigger: "up", strategy: request.strategy, detaches: request.detachFromRelease,
            timeout: request.waitTimeout, observer: observer
        ) { desired, observed in
            var asked = desired
            asked.services.removeAll { !wanted.contains($0.name) }
            return try await self.check(asked, observed, wait: request.wait)
        }
        // What needs no new container, such as how names are answered, is told by nothing else.
        try await publish()
        return made
    }

    /// Goes back to a kept release, by a release of its own; one that is under way is turned round instead.
    func rollback(
        _ request: RollbackRequest, observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> UpResult {
        if request.release == nil, var current = release, !current.release.isTerminal {
            let before = current.release
            try current.release.abort(now: now)
            return try await turnRound(current, before, observer)
        }
        let target = try rollbackTarget(request.release)
        var next = ProjectRecord(project: target.project, desired: target.desired, images: [:], salts: target.salts)
        next.desired.goal = .up
        next.desired.requestedAt = now
        next.desired.services = []
        var recipes: [ServiceName: Recipe] = [:]
        for service in target.desired.services {
            guard let spec = target.project.service(service.name) else { continue }
            let recipe = try recipe(spec, target.project, imageID: target.images[service.name])
            var desired = try recipe.desired
            desired.fingerprint += target.salts[service.name] ?? ""
            next.desired.services.append(desired)
            next.images[service.name] = recipe.imageID
            recipes[service.name] = recipe
        }
        let counter = StepCounter(observer)
        let made = try await pursue(
            next, recipes, trigger: "rollback to \(target.number)", strategy: nil, detaches: false, timeout: nil,
            observer: counter.observe
        ) { desired, observed in try await self.check(desired, observed, wait: false) }
        return UpResult(changed: counter.changed, orphans: [], release: made.flatMap(protectedSummary(of:)))
    }

    private func rollbackTarget(_ number: Int?) throws(EscaleError) -> ReleaseRecord {
        if let number {
            guard let target = kept[number] else { throw EscaleError.releaseMissing(number, of: name) }
            return target
        }
        let current = record?.proven ?? 0
        let earlier = kept.values.filter { $0.number < current && $0.release.state == .succeeded }
        guard let target = earlier.max(by: { $0.number < $1.number }) else {
            throw EscaleError.nothingToRollBackTo(name)
        }
        return target
    }

    /// Pursues a draft, by a release where it changes a version.
    ///
    /// - Returns: the release's number; `nil` where there was none.
    private func pursue(
        _ draft: ProjectRecord, _ newRecipes: [ServiceName: Recipe], trigger: String,
        strategy: ReleaseSettings.Strategy?, detaches: Bool, timeout: Duration?,
        observer: @escaping @Sendable (ProgressEvent) -> Void,
        until isDone: (DesiredProject, ObservedProject) async throws -> Bool
    ) async throws -> Int? {
        func plan() -> (record: ProjectRecord, release: ReleaseRecord?) {
            planRelease(draft, trigger: trigger, strategy: strategy, isRollback: trigger != "up")
        }
        if let made = plan().release, made.isProtected { try await checkCapacity(made) }
        // Planned anew: what stands may be something else by now.
        let (next, made) = plan()
        if let strategy, strategy != .rolling {
            for change in made?.release.changes ?? [] where change.kind == .rolling {
                observer(
                    ProgressEvent(
                        "Service \(change.service)", .warning, "Rolling, not \(strategy.rawValue)",
                        reason: "it writes a volume, which two versions must not do at the same time", at: .now))
            }
        }
        for service in next.desired.services {
            guard let recipe = newRecipes[service.name] else { continue }
            recipes[VersionID(service: service.name, generation: service.generation)] = recipe
        }
        if made == nil { try amendRelease(next) }
        try await pursue(next, made, stopTimeout: nil, timeout: timeout, observer: observer) { desired, observed in
            guard let made, made.isProtected else { return try await isDone(desired, observed) }
            if detaches { return true }
            guard try self.isOver(made.number) else { return false }
            // Services that the release did not change have to be there as well.
            guard self.kept[made.number]?.release.state == .succeeded else { return true }
            return try await isDone(desired, observed)
        }
        return made?.number
    }

    /// A change that needs no new version, such as more replicas, belongs to the release that stands.
    private func amendRelease(_ next: ProjectRecord) throws {
        guard var current = release, current.release.state == .succeeded, !current.release.isLive else { return }
        current.project = next.project
        current.desired = next.desired
        current.images = next.images
        current.salts = next.salts
        try platform.store.save(current, of: name)
        release = current
        kept[current.number] = current
    }

    private func turnRound(
        _ current: ReleaseRecord, _ before: Release, _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) async throws -> UpResult {
        try await requireTakenUp()
        guard let record else { throw EscaleError.projectUnknown(name) }
        try keep(current, before)
        try await pursue(record, stopTimeout: nil, timeout: nil, observer: observer) { _, _ in
            self.release?.release.isTerminal ?? true
        }
        return UpResult(changed: true, orphans: [], release: summary(of: current.number))
    }

    /// Whether whoever waits for a release may go; throws if it did not succeed.
    private func isOver(_ number: Int) throws -> Bool {
        guard let current = kept[number] else { throw EscaleError.superseded(name) }
        let release = current.release
        let evidence = release.decisions.last { $0.evidence != nil }?.evidence
        func failed(_ what: String, hint: String) -> EscaleError {
            .releaseFailed(number, what, release.reason ?? "", evidence: evidence, hint: hint)
        }
        switch release.state {
        case .running, .rollingBack: return release.waitsForPromotion
        case .succeeded: return true
        case .paused(.asked): return true
        case .paused:
            throw failed(
                "is paused", hint: "go on with `escale release resume`, or go back with `escale release abort`")
        case .rolledBack:
            throw failed(
                "was undone, traffic is with the version before",
                hint: "see all that was decided: `escale release show \(number)`")
        case .failed:
            throw failed("failed", hint: "see all that was decided: `escale release show \(number)`")
        case .superseded: throw EscaleError.superseded(name)
        }
    }

    /// The record that an `up` makes true, still without its versions' numbers, and what its containers are made from.
    private func draft(
        _ request: UpRequest, _ wanted: Set<ServiceName>, besides: [Service] = []
    ) throws -> (record: ProjectRecord, recipes: [ServiceName: Recipe]) {
        var project = request.project
        let now = now
        let untouched = untouchedServices(project, wanted)
        let kept = request.keepsExisting ? existingServices(wanted, since: now) : []
        // What stays as it was is still made from what the file said then.
        for service in untouched + kept {
            guard let former = record?.project.service(service.name),
                let index = project.services.firstIndex(where: { $0.name == service.name })
            else { continue }
            project.services[index] = former
        }
        var next = ProjectRecord(
            project: project,
            desired: DesiredProject(
                goal: .up, requestedAt: now, services: untouched + kept,
                removeOrphans: request.removeOrphans, leftOut: project.disabledServices,
                elsewhere: project.elsewhere.isEmpty ? nil : project.elsewhere.map(\.service)),
            salts: record?.salts ?? [:])
        var recipes: [ServiceName: Recipe] = [:]
        for service in next.desired.services { next.images[service.name] = record?.images[service.name] }
        next.renewals = record?.renewals
        for service in project.services where wanted.contains(service.name) && next.desired.service(service.name) == nil {
            var recipe = try recipe(service, project)
            if isForced(service.name, request) { next.salts[service.name] = now.description }
            var desired = try recipe.desired
            if request.withoutDependencies { desired.dependencies = [] }
            desired.fingerprint += next.salts[service.name] ?? ""
            let former = record?.desired.service(service.name)
            desired.round = former?.round
            if request.createsOnly, !isRunning(service.name) || former?.fingerprint != desired.fingerprint {
                desired.hold = .created
            }
            if request.renewsAnonymousVolumes, former?.fingerprint != desired.fingerprint {
                next.renewals = (next.renewals ?? [:]).merging([service.name: now.description]) { $1 }
            }
            recipe.renewal = next.renewals?[service.name]
            next.desired.services.append(desired)
            recipes[service.name] = recipe
            next.images[service.name] = recipe.imageID
        }
        next.desired.services.sort { $0.name < $1.name }
        let services = next.desired.services.compactMap { project.service($0.name) } + besides
        next.desired.networks = project.networks(of: services).filter { !$0.isExternal }.map(\.name).sorted()
        next.desired.volumes = project.volumes(of: services).filter { !$0.isExternal }.map(\.name).sorted()
        return (next, recipes)
    }

    /// The services that have containers, as they were asked for last.
    private func existingServices(_ wanted: Set<ServiceName>, since now: Timestamp) -> [DesiredService] {
        let existing = Set(replicaContainers.map(\.replica.service))
        return (record?.desired.services ?? []).filter { wanted.contains($0.name) && existing.contains($0.name) }.map {
            var service = $0
            service.requestedAt = now
            service.hold = nil
            return service
        }
    }

    private func isForced(_ service: ServiceName, _ request: UpRequest) -> Bool {
        guard request.forceRecreate || request.recreatesDependencies else { return false }
        let isNamed = request.services.isEmpty || request.services.contains(service)
        return isNamed ? request.forceRecreate : request.recreatesDependencies
    }

    private func isRunning(_ service: ServiceName) -> Bool {
        replicaContainers.contains { $0.replica.service == service && $0.processes != nil }
    }

    /// Says of each service that gets new containers what made them necessary.
    private func tellChanges(
        to next: ProjectRecord, _ recipes: [ServiceName: Recipe], _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) throws {
        guard let record else { return }
        for service in next.desired.services {
            guard let former = record.desired.service(service.name), former.fingerprint != service.fingerprint,
                containers.values.contains(where: { $0.replica.service == service.name }),
                let recipe = recipes[service.name]
            else { continue }
            let keys = try changedKeys(of: service.name, to: recipe)
            observer(
                ProgressEvent(
                    "Service \(service.name)", .done, "Changed",
                    reason: keys.isEmpty ? "recreation asked for" : keys.joined(separator: ", "), at: .now))
        }
    }

    /// Removes containers and networks, and, if asked, volumes.
    func down(_ request: DownRequest, observer: @escaping @Sendable (ProgressEvent) -> Void) async throws {
        let isGivenUp = try await giveUpUnreadable()
        var next =
            record
            ?? ProjectRecord(
                project: Project(name: name, workingDirectory: "/"),
                desired: DesiredProject(goal: .stopped, requestedAt: now))
        guard exists || isGivenUp || (request.removeVolumes && !volumes.isEmpty) else { return }
        next.desired.goal = .down(removeVolumes: request.removeVolumes)
        next.desired.requestedAt = now
        try await pursue(next, stopTimeout: request.timeout, timeout: nil, observer: observer) { _, _ in !self.exists }
        // One that never got as far as a container has told the network what it expects, and nothing else took that back.
        try await publish()
    }

    // MARK: Before

    /// The services asked for and what they depend on.
    private func selection(_ request: UpRequest) throws -> Set<ServiceName> {
        if let unknown = request.services.first(where: { request.project.service($0) == nil }) {
            if let external = request.project.elsewhere(unknown) { throw EscaleError.serviceElsewhere(external) }
            throw EscaleError.serviceUnknown(unknown, project: request.project.name)
        }
        return request.wanted
    }

    /// The services that are there and that nobody asked for this time: they stay as they were asked for last.
    private func untouchedServices(_ project: Project, _ wanted: Set<ServiceName>) -> [DesiredService] {
        guard let former = record?.desired, former.goal == .up || former.goal == .stopped else { return [] }
        return former.services.filter { !wanted.contains($0.name) && project.service($0.name) != nil }.map { service in
            var service = service
            service.requestedAt = service.requestedAt ?? former.requestedAt
            if former.goal == .stopped { service.hold = service.hold ?? .stopped }
            return service
        }
    }

    /// A service's recipe with the image as it is now.
    func recipe(
        _ service: Service, _ project: Project, imageID: Digest? = nil, renewal: String? = nil
    ) throws -> Recipe {
        let imageName = service.imageName(in: project.name)
        let image = try storedImage(imageID?.description ?? imageName, for: service)
        return Recipe(
            service: service, project: project, imageName: imageName, imageID: image.id, image: image.config.config,
            renewal: renewal)
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
    private func checkGround(_ project: Project, _ services: [Service], ports: Bool = true) async throws {
        for network in project.networks(of: services) where network.isExternal {
            guard await platform.network.exists(network.name) else {
                throw EscaleError.externalMissing("network", network.name)
            }
        }
        for network in project.networks(of: services) { try await platform.network.revise(network, of: name) }
        let existing = try await blocking { [platform] in Set(try platform.volumes.list()) }
        for volume in project.volumes(of: services) where volume.isExternal && !existing.contains(volume.name) {
            throw EscaleError.externalMissing("volume", volume.name)
        }
        guard ports else { return }
        // Our own gateway is no obstacle.
        let served = await platform.network.gatewayPorts
        // Nor are our own ports: what leads there already is a rule. The kernel takes milliseconds to tell who listens.
        let own = containers.values.filter { $0.processes != nil }.flatMap(\.ports)
        try await checkPortAddresses(of: services)
        for port in services.flatMap(\.ports) where port.hostPort != nil && port.lastHostPort == nil && !port.isOfIPv6 {
            if let holder = await platform.network.holder(of: port, otherThan: name) {
                throw EscaleError.portTaken(port, by: holder)
            }
            if let number = port.hostPort, served.contains(number) { continue }
            if own.contains(where: { $0.isPublished(like: port) }) { continue }
            if let listener = try await blocking({ [host = platform.network.controller] in host.listener(on: port) }) {
                throw EscaleError.portTaken(port, by: listener)
            }
        }
    }

    /// A rule for an address that the host doesn't have would never match, and nobody would know why.
    private func checkPortAddresses(of services: [Service]) async throws {
        let asked = services.flatMap { service in service.ports.filter { !$0.isOfIPv6 }.compactMap(\.ownAddress).map { (service.name, $0) } }
        if asked.isEmpty { return }
        let (known, mayWait) = try await blocking {
            (
                Set(try HostAddresses.assigned(IPv4Address.self).map(\.address)),
                (try? Files.readText("/proc/sys/net/ipv4/ip_nonlocal_bind"))?.hasPrefix("1") == true
            )
        }
        for (service, text) in asked {
            guard let address = IPv4Address(text), !known.contains(address), !text.hasPrefix("127."), !mayWait else { continue }
            throw EscaleError.portAddressMissing(text, service: service)
        }
    }

    // MARK: Meanwhile

    /// Whether an `up` has got there; throws why it never will.
    func check(_ desired: DesiredProject, _ observed: ObservedProject, wait: Bool) async throws -> Bool {
        switch progress(of: desired, observed, healthy: wait, now: now) {
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

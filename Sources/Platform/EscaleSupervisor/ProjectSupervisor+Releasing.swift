import EscaleAPI
import EscaleCompose
import EscaleCore
import EscalePlan
import EscaleRelease
import EscaleSystem

/// How a release is made out of what is asked for and what is there.
extension ProjectSupervisor {
    /// The release that leads from what stands to the draft, and the draft with its versions' numbers; `nil` where no
    /// version changes.
    ///
    /// - Parameter draft: with fingerprints, and no numbers yet.
    func planRelease(
        _ draft: ProjectRecord, trigger: String, strategy: ReleaseSettings.Strategy?, isRollback: Bool
    ) -> (record: ProjectRecord, release: ReleaseRecord?) {
        var next = draft
        guard name != .own else {
            // Containers of one's own are no releases: each is what it was made as.
            for index in next.desired.services.indices { next.desired.services[index].generation = 1 }
            return (next, nil)
        }
        let number = (kept.keys.max() ?? record?.release ?? 0) + 1
        let proven = record?.proven ?? untriedFirst
        let standing = standingInstances
        let isFresh = standing.isEmpty
        let base = baseline(isFresh: isFresh)
        var changed: Set<ServiceName> = []
        for index in next.desired.services.indices {
            let service = next.desired.services[index]
            let before = base?.service(service.name)
            let warm = warmGeneration(service, standing[service.name] ?? [])
            if let before, before.fingerprint == service.fingerprint {
                next.desired.services[index].generation = before.generation
                if isUnfinished(next.desired.services[index], standing[service.name] ?? []) { changed.insert(service.name) }
            } else {
                next.desired.services[index].generation = warm ?? number
                changed.insert(service.name)
            }
        }
        let tasks = Set(next.project.services.flatMap { $0.dependencies.filter { $0.condition == .completed }.map(\.service) })
        // A task runs once per release that something waits for it in.
        for service in next.project.services where changed.contains(service.name) {
            for dependency in service.dependencies where dependency.condition == .completed {
                changed.insert(dependency.service)
            }
        }
        changed.formIntersection(next.desired.services.map(\.name))
        // What shall not run can't prove itself; its version counts from when it is started.
        if !isFresh { changed.subtract(next.desired.services.filter { $0.hold != nil }.map(\.name)) }
        guard !changed.isEmpty || hasLost(of: next.desired) else {
            next.release = record?.release ?? 0
            next.proven = proven
            return (next, nil)
        }
        let now = next.desired.requestedAt
        let changes = ordered(next.project, changed).compactMap { name -> Change? in
            guard let spec = next.project.service(name), let service = next.desired.service(name) else { return nil }
            let old = isFresh ? nil : base?.service(name)
            let instances = standing[name] ?? []
            // Back to the version that still stands, from a release that did not end: there is nothing to try out.
            let strategy = old?.generation == service.generation ? .rolling : strategy
            var change = Change(
                spec, kind: kind(spec, tasks.contains(name), isNew: old == nil || instances.isEmpty, strategy),
                after: isFresh ? [] : dependencies(of: name, in: next.project).intersection(changed),
                old: old?.generation, oldSlots: old?.replicas ?? 0, new: service.generation, standing: instances,
                ready: instances.filter { isReady($0, of: name) }, isChecked: service.isChecked, beginsAt: isFresh ? now : nil)
            change.endsWell = change.kind != .oneShot && hasEndedWell(name) ? true : nil
            return change
        }
        next.release = number
        next.proven = proven
        let release = Release(
            number: number, trigger: trigger, changes: changes, hasPredecessor: !isFresh && proven != nil,
            isRollback: isRollback, now: now)
        return (
            next,
            ReleaseRecord(
                release: release, project: next.project, desired: next.desired, images: next.images, salts: next.salts,
                isProtected: !isFresh)
        )
    }

    /// What a new release starts from, and goes back to: what runs, or, where that is in doubt, the last that proved itself.
    private func baseline(isFresh: Bool) -> DesiredProject? {
        guard let record, record.desired.goal == .up || !isFresh else { return record?.desired }
        guard let release = release?.release, !release.isTerminal || release.state == .failed else { return record.desired }
        return record.proven.flatMap { kept[$0]?.desired } ?? record.desired
    }

    /// The first release of all, where the next one comes before it was found good and nothing is wrong with it so far:
    /// there is nothing better to go back to.
    private var untriedFirst: Int? {
        guard let release, !release.isProtected, !release.release.isTerminal, !hasFailedReplica else { return nil }
        return release.number
    }

    /// The replicas that run, or are wanted, by service; none where nothing runs or is about to.
    private var standingInstances: [ServiceName: Set<Instance>] {
        let isUp = record?.desired.goal == .up
        var standing: [ServiceName: Set<Instance>] = [:]
        for container in replicaContainers where isAtWork(container) || isUp && container.phase != .created {
            standing[container.replica.service, default: []].insert(
                Instance(generation: container.replica.generation, slot: container.replica.slot))
        }
        return replicaContainers.contains(where: isAtWork) ? standing : [:]
    }

    /// Whether it runs, or a step is about to make it run: whoever begins anew has to reckon with it.
    private func isAtWork(_ container: ContainerRecord) -> Bool {
        container.processes != nil || container.phase == .starting || starting.contains(container.replica)
    }

    /// Whether all that there is of the service did its work and ended by itself.
    private func hasEndedWell(_ service: ServiceName) -> Bool {
        let own = replicaContainers.filter { $0.replica.service == service && $0.phase != .created }
        return !own.isEmpty && own.allSatisfy { $0.phase == .exited(code: 0) && $0.wasStopped != true && $0.endedUnhealthy != true }
    }

    private func isReady(_ instance: Instance, of service: ServiceName) -> Bool {
        containers.values.contains {
            $0.replica.service == service && $0.replica.generation == instance.generation
                && $0.replica.slot == instance.slot && $0.isReady && $0.drainingSince == nil
        }
    }

    /// A version with this fingerprint that stands already, such as the one that a blue-green release keeps warm.
    private func warmGeneration(_ service: DesiredService, _ standing: Set<Instance>) -> Int? {
        Set(standing.map(\.generation)).sorted().last {
            kept[$0]?.desired.service(service.name)?.fingerprint == service.fingerprint
        }
    }

    /// Whether a release that has not ended, or was left halfway, keeps the service from being all of that version: its
    /// replicas are what the release allocated, until another one takes over.
    private func isUnfinished(_ service: DesiredService, _ standing: Set<Instance>) -> Bool {
        guard let release = release?.release, release.isLive || isLeftHalfway else { return false }
        if standing.contains(where: { $0.generation != service.generation }) { return true }
        guard release.state != .succeeded, let change = release.changes.first(where: { $0.service == service.name })
        else { return false }
        if release.isPaused { return true }
        let wanted = (0..<service.replicas).map { Instance(generation: service.generation, slot: $0 + 1) }
        return change.new != service.generation || change.allocation.instances != Set(wanted)
    }

    /// Whether a release that has not ended, or was left halfway, is about services that there shall be no more: it would
    /// wait for them for ever.
    private func hasLost(of desired: DesiredProject) -> Bool {
        guard let release = release?.release, !release.isTerminal || isLeftHalfway else { return false }
        return release.changes.contains { desired.service($0.service) == nil }
    }

    private func kind(
        _ service: Service, _ isTask: Bool, isNew: Bool, _ strategy: ReleaseSettings.Strategy?
    ) -> Change.Kind {
        if isTask { return .oneShot }
        if isNew { return .added }
        // Two complete versions beside each other would both write its volumes.
        let isExclusive = service.excludesOtherVersions
        return switch strategy ?? service.release.strategy {
        case .rolling: .rolling
        case .blueGreen: isExclusive ? .rolling : .blueGreen
        case .canary: isExclusive ? .rolling : .canary
        }
    }

    private func dependencies(of name: ServiceName, in project: Project) -> Set<ServiceName> {
        project.closure(of: [name]).subtracting([name])
    }

    /// Each after those it depends on; by name otherwise.
    private func ordered(_ project: Project, _ names: Set<ServiceName>) -> [ServiceName] {
        var done: [ServiceName] = []
        var rest = names.sorted()
        while !rest.isEmpty {
            // The loader refuses cycles: there is always one that depends on none of the rest.
            let next = rest.firstIndex { dependencies(of: $0, in: project).isDisjoint(with: rest) } ?? rest.startIndex
            done.append(rest.remove(at: next))
        }
        return done
    }
}

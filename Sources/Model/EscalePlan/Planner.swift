import EscaleCompose
package import EscaleCore

/// Decides what to do next to bring a project to what it shall be.
///
/// Pure: the same inputs give the same plan, in the same order. It never waits for a step to finish; it is asked
/// again after every change, and a plan for what is already as desired is empty. Replicas that a step is being
/// performed on are the caller's to leave out (see ``Step/subject``).
package func plan(desired: DesiredProject, observed: ObservedProject, now: Timestamp) -> Plan {
    var planner = Planner(desired: desired, observed: observed, now: now)
    switch desired.goal {
    case .up: planner.planUp()
    case .stopped: planner.planStop()
    case .down(let removeVolumes): planner.planDown(removeVolumes: removeVolumes)
    }
    return planner.plan
}

private struct Planner {
    let desired: DesiredProject
    let observed: ObservedProject
    let now: Timestamp
    let byReplica: [ReplicaID: [ObservedContainer]]
    let byService: [ServiceName: [ObservedContainer]]
    var plan = Plan()
    private var subjects: Set<Step.Subject> = []

    init(desired: DesiredProject, observed: ObservedProject, now: Timestamp) {
        self.desired = desired
        self.observed = observed
        self.now = now
        byReplica = Dictionary(grouping: observed.containers, by: \.replica)
        byService = Dictionary(grouping: observed.containers, by: \.replica.service)
    }

    // MARK: Up

    mutating func planUp() {
        for network in desired.networks where !observed.networks.contains(network) {
            add(.createNetwork(network), .missing)
        }
        for volume in desired.volumes where !observed.volumes.contains(volume) {
            add(.createVolume(volume), .missing)
        }
        let hasGround = plan.steps.isEmpty
        for service in desired.services {
            let unmet = unmetDependency(of: service)
            let wanted = service.wanted
            if let hold = service.hold {
                for (replica, fingerprint, _) in wanted { keep(replica, fingerprint, service, hold, hasGround: hasGround) }
            } else {
                for (replica, fingerprint, restart) in wanted {
                    converge(replica, fingerprint, restart, service, unmet: unmet, hasGround: hasGround)
                }
            }
            let replicas = Set(wanted.map(\.replica))
            for container in byService[service.name] ?? [] where !replicas.contains(container.replica) {
                let isReplaced = container.replica.generation != service.generation
                dismiss(container, isReplaced ? .replaced : .surplus, drain: service.drain)
            }
        }
        for container in observed.containers where desired.isElsewhere(container.replica.service) {
            dismiss(container, .elsewhere)
        }
        guard desired.removeOrphans else { return }
        for container in observed.containers where desired.isOrphan(container.replica.service) {
            dismiss(container, .orphan)
        }
    }

    /// Moves one replica a step towards a running container with the right fingerprint.
    private mutating func converge(
        _ replica: ReplicaID, _ fingerprint: String, _ restart: RestartPolicy, _ service: DesiredService,
        unmet: Dependency?, hasGround: Bool
    ) {
        let containers = byReplica[replica] ?? []
        guard let container = containers.first(where: { $0.fingerprint == fingerprint }) ?? containers.first
        else {
            if hasGround { add(.create(replica), .missing) }
            return
        }
        for other in containers where other.id != container.id { dismiss(other, .surplus) }
        if containers.count > 1 { return }
        if container.fingerprint != fingerprint {
            // The old one serves until the new one may start.
            if let unmet, container.isRunning { return wait(replica, unmet) }
            return dismiss(container, .changed)
        }
        // Its turn comes when the other version has ended, or one of the two that have its slot.
        if !container.isRunning, service.isExclusive == true ? hasCompany(container) : isThird(container) { return }
        switch container.phase {
        case .running:
            if container.isStranded, unmet == nil { return add(.stop(container.id, container.replica), .stranded) }
            if container.drainingSince != nil { add(.undrain(container.id, container.replica), .requested) }
            if let reason = restartReason(container, service, restart) { add(.stop(container.id, container.replica), reason) }
        case .created: start(container, unmet: unmet, .ready)
        case .exited where container.isStale(since: desired.requestTime(of: service)): start(container, unmet: unmet, .requested)
        case .exited(let code, let at): self.restart(container, restart, code: code, at: at)
        }
    }

    /// Keeps one replica of a service that shall not run where it shall be.
    private mutating func keep(
        _ replica: ReplicaID, _ fingerprint: String, _ service: DesiredService, _ hold: DesiredService.Hold, hasGround: Bool
    ) {
        let containers = byReplica[replica] ?? []
        if containers.isEmpty, hold == .created, hasGround { add(.create(replica), .missing) }
        for container in containers {
            if container.isRunning {
                if mayStop(container, before: { $0.hold != nil }) { add(.stop(container.id, replica), .requested) }
            } else if hold == .removed {
                add(.remove(container.id, replica), .requested)
            } else if hold == .created, container.fingerprint != fingerprint {
                add(.remove(container.id, replica), .changed)
            }
        }
    }

    /// Why a running replica is to be started again; `nil` while it is not, or others have to stop before it.
    private func restartReason(
        _ container: ObservedContainer, _ service: DesiredService, _ policy: RestartPolicy
    ) -> Reason? {
        guard container.replica.generation == service.generation else { return nil }
        if container.health == .unhealthy, service.restartsUnhealthy == true,
            RestartDelay.applies(policy, code: 1, failures: container.failures)
        {
            return .unhealthy
        }
        if container.round < service.round ?? 0 {
            return mayStop(container, before: { $0.round ?? 0 > 0 }, lagging: true) ? .requested : nil
        }
        let companion = service.dependencies.first { dependency in
            guard dependency.restart, let seen = container.companions[dependency.service],
                let other = desired.service(dependency.service), other.generation != seen, other.hold == nil
            else { return false }
            let isAlone = (byService[other.name] ?? []).allSatisfy { $0.replica.generation == other.generation }
            return isAlone && standing(of: other, for: dependency.condition) == .met
        }
        return companion.map { .companionReplaced($0.service) }
    }

    /// Whether another version of the service runs, or is about to.
    private func hasCompany(_ container: ObservedContainer) -> Bool { !company(of: container).isEmpty }

    /// Whether two other versions of the replica run, or are about to, such as one on its way out and one that is only just
    /// being started for a release that nobody wants any more.
    private func isThird(_ container: ObservedContainer) -> Bool {
        company(of: container).count { $0.slot == container.replica.slot } > 1
    }

    /// The service's replicas of other versions that run, or are about to.
    private func company(of container: ObservedContainer) -> Set<ReplicaID> {
        let present = (byService[container.replica.service] ?? []).filter { $0.isRunning || $0.isStarting }.map(\.replica)
        let coming = plan.steps.compactMap { step -> ReplicaID? in
            guard case .start(_, let replica) = step.action, replica.service == container.replica.service else { return nil }
            return replica
        }
        return Set(present + coming).filter { $0.generation != container.replica.generation }
    }

    private mutating func start(_ container: ObservedContainer, unmet: Dependency?, _ reason: Reason) {
        if let unmet { return wait(container.replica, unmet) }
        add(.start(container.id, container.replica), reason)
    }

    private mutating func restart(
        _ container: ObservedContainer, _ policy: RestartPolicy, code: Int32, at: Timestamp
    ) {
        guard RestartDelay.applies(policy, code: code, failures: container.failures, endedWithHost: container.endedWithHost) else { return }
        let due = at + RestartDelay.delay(failures: container.failures)
        if due <= now {
            add(.start(container.id, container.replica), .ended(code: code, restart: max(1, container.failures)))
        } else {
            plan.wakeAt = min(plan.wakeAt ?? due, due)
        }
    }

    private func unmetDependency(of service: DesiredService) -> Dependency? {
        service.dependencies.first { dependency in
            guard let other = desired.service(dependency.service) else {
                return dependency.required && !desired.isElsewhere(dependency.service)
            }
            switch standing(of: other, for: dependency.condition) {
            case .met: return false
            case .pending: return true
            case .failed: return dependency.required
            }
        }
    }

    /// How a service stands towards what another one asks of it.
    private func standing(of service: DesiredService, for condition: Dependency.Condition) -> Standing {
        let (standing, containers) = service.standing(among: byService[service.name] ?? [])
        return EscalePlan.standing(
            of: standing, containers: containers, for: condition, since: desired.requestTime(of: service))
    }

    // MARK: Stop and down

    mutating func planStop() {
        for container in observed.containers where container.isRunning && mayStop(container) {
            add(.stop(container.id, container.replica), .requested)
        }
    }

    mutating func planDown(removeVolumes: Bool) {
        for container in observed.containers where !container.isRunning || mayStop(container) {
            dismiss(container, .goingDown)
        }
        guard observed.containers.isEmpty else { return }
        for network in observed.networks.sorted() { add(.removeNetwork(network), .goingDown) }
        guard removeVolumes else { return }
        for volume in observed.volumes.sorted() { add(.removeVolume(volume), .requested) }
    }

    /// Whether nothing that still runs depends on it, directly or through others: the reverse of the order of starting.
    ///
    /// - Parameters:
    ///   - before: of which services that depend on it a running replica counts.
    ///   - lagging: whether only replicas count that are to be started again themselves.
    private func mayStop(
        _ container: ObservedContainer, before counts: (DesiredService) -> Bool = { _ in true }, lagging: Bool = false
    ) -> Bool {
        var dependents: Set<ServiceName> = []
        var queue = [container.replica.service]
        while let name = queue.popLast() {
            for service in desired.services where service.dependencies.contains(where: { $0.service == name }) {
                if dependents.insert(service.name).inserted { queue.append(service.name) }
            }
        }
        dependents.remove(container.replica.service)
        return !dependents.contains { name in
            guard let service = desired.service(name), counts(service) else { return false }
            return (byService[name] ?? []).contains { $0.isRunning && (!lagging || $0.round < service.round ?? 0) }
        }
    }

    // MARK: Steps

    /// Moves a container a step towards its end: no new traffic first, then the stop, then the removal.
    ///
    /// - Parameter drain: how long its connections may go on; `zero` for not at all.
    private mutating func dismiss(_ container: ObservedContainer, _ reason: Reason, drain: Duration = .zero) {
        guard container.isRunning else { return add(.remove(container.id, container.replica), reason) }
        guard drain > .zero else { return add(.stop(container.id, container.replica), reason) }
        guard let since = container.drainingSince else { return add(.drain(container.id, container.replica), reason) }
        if container.isIdle || now - since >= drain {
            add(.stop(container.id, container.replica), reason)
        } else {
            plan.wakeAt = min(plan.wakeAt ?? since + drain, since + drain)
        }
    }

    private mutating func wait(_ replica: ReplicaID, _ dependency: Dependency) {
        plan.waits.append(Wait(replica, for: dependency.service, dependency.condition))
    }

    private mutating func add(_ action: Step.Action, _ reason: Reason) {
        let step = Step(action, because: reason)
        // Of two things to do with one replica the second is in the next plan.
        if subjects.insert(step.subject).inserted { plan.steps.append(step) }
    }
}

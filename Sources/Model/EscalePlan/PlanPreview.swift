import EscaleCompose
package import EscaleCore

/// Every step that leads from what is to what shall be, if all goes well, in the order in which they become possible.
///
/// Pure: each round of the planner's steps is taken as done, started services as ready, and the ones that others wait for
/// the end of as ended. It ends where nothing is left to do, or where something waits for what won't come.
package func preview(desired: DesiredProject, observed: ObservedProject, now: Timestamp) -> [Step] {
    var world = PreviewWorld(desired: desired, observed: observed, now: now)
    var steps: [Step] = []
    // As many rounds as there could be steps: create, start, drain, stop and remove of each, and then some.
    let limit = 10 * (desired.services.reduce(8) { $0 + max($1.replicas, 1) } + observed.containers.count)
    for _ in 0..<limit {
        let plan = plan(desired: desired, observed: world.observed, now: world.now)
        if plan.steps.isEmpty {
            guard let wakeAt = plan.wakeAt else { break }
            world.now = wakeAt
            continue
        }
        for step in plan.steps {
            world.take(step)
            steps.append(step)
        }
    }
    return steps
}

private struct PreviewWorld {
    let desired: DesiredProject
    var observed: ObservedProject
    var now: Timestamp
    private var made = 0

    init(desired: DesiredProject, observed: ObservedProject, now: Timestamp) {
        self.desired = desired
        self.observed = observed
        self.now = now
    }

    mutating func take(_ step: Step) {
        let now = now
        switch step.action {
        case .createNetwork(let network): observed.networks.insert(network)
        case .createVolume(let volume): observed.volumes.insert(volume)
        case .removeNetwork(let network): observed.networks.remove(network)
        case .removeVolume(let volume): observed.volumes.remove(volume)
        case .create(let replica):
            made += 1
            observed.containers.append(
                ObservedContainer(
                    id: ContainerID(rawValue: "preview-\(made)"), replica: replica, fingerprint: fingerprint(of: replica),
                    phase: .created))
        case .start(let id, let replica): start(id, replica)
        case .drain(let id, _):
            change(id) { container in
                container.drainingSince = now
                container.isIdle = true
            }
        case .undrain(let id, _): change(id) { $0.drainingSince = nil }
        case .stop(let id, _):
            change(id) { container in
                container.phase = .exited(code: 143, at: now)
                container.health = nil
                container.wasStopped = true
            }
        case .remove(let id, _): observed.containers.removeAll { $0.id == id }
        }
    }

    private mutating func start(_ id: ContainerID, _ replica: ReplicaID) {
        guard let service = desired.service(replica.service) else { return }
        let isAwaited = desired.services.contains {
            $0.dependencies.contains { $0.service == replica.service && $0.condition == .completed }
        }
        let (desired, now) = (desired, now)
        change(id) { container in
            container.wasStopped = false
            container.round = service.round ?? 0
            for dependency in service.dependencies where dependency.restart {
                container.companions[dependency.service] = desired.service(dependency.service)?.generation
            }
            container.phase = isAwaited ? .exited(code: 0, at: now) : .running(since: now)
            container.health = isAwaited || !service.isChecked ? nil : .healthy
        }
    }

    private mutating func change(_ id: ContainerID, _ body: (inout ObservedContainer) -> Void) {
        guard let index = observed.containers.firstIndex(where: { $0.id == id }) else { return }
        body(&observed.containers[index])
    }

    private func fingerprint(of replica: ReplicaID) -> String {
        desired.service(replica.service)?.wanted.first { $0.replica == replica }?.fingerprint ?? ""
    }
}

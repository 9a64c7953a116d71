import EscaleCompose
import EscaleCore
import EscalePlan
import EscaleTestSupport

/// What must be true of every plan, said in the plainest way and not with the planner's own functions.
extension World {
    func check(_ plan: Plan) throws {
        var subjects = Set<Step.Subject>()
        for step in plan.steps {
            guard subjects.insert(step.subject).inserted else {
                throw Broken(description: "two steps for one subject: \(plan.lines)")
            }
            try check(step)
        }
        for wait in plan.waits where plan.steps.contains(where: { $0.subject == .replica(wait.replica) }) {
            throw Broken(description: "\(wait.replica) waits and is worked on")
        }
        if let wake = plan.wakeAt, wake <= now { throw Broken(description: "wakes in the past") }
    }

    private func check(_ step: Step) throws {
        func demand(_ holds: Bool, _ rule: String) throws {
            if !holds { throw Broken(description: "\(step.line): \(rule)") }
        }
        switch step.action {
        case .createNetwork(let name): try demand(isUp && !observed.networks.contains(name), "it is there")
        case .createVolume(let name): try demand(isUp && !observed.volumes.contains(name), "it is there")
        case .create(let replica):
            try demand(isUp && wants(replica), "nobody wants it")
            try demand(!observed.containers.contains { $0.replica == replica }, "there is one")
            try demand(observed.networks.isSuperset(of: desired.networks), "its network is missing")
            try demand(observed.volumes.isSuperset(of: desired.volumes), "its volume is missing")
        case .start(let id, let replica):
            try demand(isUp && wants(replica), "nobody wants it")
            let container = try container(id)
            try demand(!container.isRunning, "it runs")
            try demand(container.fingerprint == desired.service(replica.service)?.fingerprint, "it is an old one")
            try demand(observed.containers.count { $0.replica == replica } == 1, "there is another one")
            if case .ended = step.reason { return }
            for dependency in desired.service(replica.service)?.dependencies ?? [] where dependency.required {
                try demand(holds(dependency), "\(dependency.service) is not \(dependency.condition)")
            }
        case .drain(let id, _):
            try demand(try container(id).isRunning, "it doesn't run")
            try demand(isUp && !isWantedAsItIs(id), "it is as desired")
        case .undrain(let id, _): try demand(isUp && isWantedAsItIs(id), "nobody wants it")
        case .stop(let id, let replica):
            try demand(try container(id).isRunning, "it doesn't run")
            try demand(!isWantedAsItIs(id), "it is as desired")
            if !isUp { try demand(!hasRunningDependents(replica.service), "something that runs depends on it") }
        case .remove(let id, _):
            try demand(try !container(id).isRunning, "it runs")
            try demand(desired.goal != .stopped, "a stopped project keeps its containers")
            try demand(!isWantedAsItIs(id), "it is as desired")
        case .removeNetwork:
            try demand(isDown && observed.containers.isEmpty, "something is on it")
        case .removeVolume:
            try demand(desired.goal == .down(removeVolumes: true) && observed.containers.isEmpty, "nobody asked")
        }
    }

    private var isUp: Bool { desired.goal == .up }

    private var isDown: Bool {
        switch desired.goal {
        case .down: true
        case .up, .stopped: false
        }
    }

    private func wants(_ replica: ReplicaID) -> Bool {
        (desired.service(replica.service)?.replicas ?? 0) >= replica.slot
    }

    private func isWantedAsItIs(_ id: ContainerID) -> Bool {
        guard isUp, let container = observed.containers.first(where: { $0.id == id }) else { return false }
        return wants(container.replica)
            && container.fingerprint == desired.service(container.replica.service)?.fingerprint
    }

    private func container(_ id: ContainerID) throws -> ObservedContainer {
        guard let container = observed.containers.first(where: { $0.id == id }) else {
            throw Broken(description: "there is no container \(id)")
        }
        return container
    }

    /// Directly, or through others that may not run.
    private func hasRunningDependents(_ service: ServiceName) -> Bool {
        desired.services.contains { other in
            guard other.dependencies.contains(where: { $0.service == service }) else { return false }
            return observed.containers.contains { $0.replica.service == other.name && $0.isRunning }
                || hasRunningDependents(other.name)
        }
    }

    /// Whether every replica of the dependency is where its dependents need it.
    private func holds(_ dependency: Dependency) -> Bool {
        guard let service = desired.service(dependency.service) else { return false }
        return (1...max(1, service.replicas)).prefix(service.replicas).allSatisfy { slot in
            observed.containers.contains { container in
                guard container.replica == ReplicaID(service: service.name, slot: slot),
                    container.fingerprint == service.fingerprint
                else { return false }
                let hasDoneItsWork =
                    if case .exited(code: 0, let at) = container.phase { at >= desired.requestedAt } else { false }
                return switch dependency.condition {
                case .started: container.isRunning || hasDoneItsWork
                case .healthy: container.isRunning && container.health == .healthy
                case .completed: hasDoneItsWork
                }
            }
        }
    }

    /// Whether it is as desired and nothing is left to do.
    func checkRest() throws {
        let rest = plan(desired: desired, observed: observed, now: now)
        guard rest.steps.isEmpty, rest.waits.isEmpty, rest.wakeAt == nil else {
            throw Broken(description: "something is left to do: \(rest.lines)")
        }
        let observed = observed
        func demand(_ holds: Bool, _ rule: String) throws {
            if !holds { throw Broken(description: "at rest, \(rule): \(observed)") }
        }
        switch desired.goal {
        case .up:
            try demand(progress(of: desired, observed, healthy: true, now: now + .seconds(60)) == .met, "up has not got there")
            for service in desired.services {
                let own = observed.containers.filter { $0.replica.service == service.name }
                try demand(own.count == service.replicas, "\(service.name) has \(own.count) containers")
            }
            let strangers = observed.containers.filter { desired.service($0.replica.service) == nil }
            try demand(!desired.removeOrphans || strangers.isEmpty, "orphans are left")
        case .stopped: try demand(!observed.containers.contains(where: \.isRunning), "something runs")
        case .down(let removeVolumes):
            try demand(observed.containers.isEmpty && observed.networks.isEmpty, "something is left")
            try demand(!removeVolumes || observed.volumes.isEmpty, "volumes are left")
        }
    }
}

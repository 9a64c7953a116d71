import EscaleCompose
import EscaleCore
import EscalePlan
import EscaleTestSupport

/// A project with a host around it: performs steps late and in any order, and lets containers end, fail and heal.
struct World {
    var random: Seeded
    var now = asked
    var desired: DesiredProject
    var observed = ObservedProject()
    /// Begun and not finished yet, with the fingerprints that were desired when they began.
    private var underway: [(step: Step, fingerprint: String)] = []
    private var oneShots: Set<ServiceName> = []
    private var nextID = 0

    private static let names: [ServiceName] = ["a", "b", "c", "d", "e"]

    init(seed: UInt64) {
        random = Seeded(seed)
        desired = DesiredProject(goal: .up, requestedAt: asked)
        desired.networks = ["n"]
        desired.volumes = random.chance(50) ? ["v"] : []
        for name in Self.names.prefix(Int.random(in: 1...5, using: &random)) {
            desired.services.append(randomService(name))
        }
        desired.removeOrphans = random.chance(50)
    }

    private mutating func randomService(_ name: ServiceName) -> DesiredService {
        var service = DesiredService(name: name, replicas: Int.random(in: 1...2, using: &random), fingerprint: "0")
        service.isChecked = random.chance(40)
        let isOneShot = !service.isChecked && random.chance(25)
        if isOneShot { oneShots.insert(name) }
        let policies: [RestartPolicy] = [.no, .always, .unlessStopped, .onFailure(retries: nil), .onFailure(retries: 2)]
        // One that ends and is always started again never settles.
        service.restart = isOneShot ? .no : policies.randomElement(using: &random) ?? .no
        for other in desired.services where random.chance(35) {
            let condition: Dependency.Condition =
                if oneShots.contains(other.name) {
                    random.chance(70) ? .completed : .started
                } else {
                    other.isChecked && random.chance(70) ? .healthy : .started
                }
            service.dependencies.append(Dependency(other.name, condition: condition, required: random.chance(80)))
        }
        return service
    }

    // MARK: The supervisor's part

    /// Plans, checks the plan, and begins some of its steps; returns the plan.
    @discardableResult
    mutating func begin(percent: Int) throws -> Plan {
        let plan = plan(desired: desired, observed: observed, now: now)
        try check(plan)
        for step in plan.steps where !underway.contains(where: { $0.step.subject == step.subject }) && random.chance(percent) {
            underway.append((step, fingerprint(of: step)))
        }
        return plan
    }

    private func fingerprint(of step: Step) -> String {
        guard case .create(let replica) = step.action else { return "" }
        return desired.service(replica.service)?.fingerprint ?? ""
    }

    /// Finishes some of what is under way, in any order; a step may fail and leave everything as it was.
    mutating func finish(percent: Int, failing: Int) throws {
        underway.shuffle(using: &random)
        var rest: [(step: Step, fingerprint: String)] = []
        for item in underway {
            guard random.chance(percent) else {
                rest.append(item)
                continue
            }
            if !random.chance(failing) { try perform(item.step, fingerprint: item.fingerprint) }
        }
        underway = rest
    }

    var isIdle: Bool { underway.isEmpty }

    private mutating func perform(_ step: Step, fingerprint: String) throws {
        switch step.action {
        case .createNetwork(let name): observed.networks.insert(name)
        case .removeNetwork(let name): observed.networks.remove(name)
        case .createVolume(let name): observed.volumes.insert(name)
        case .removeVolume(let name): observed.volumes.remove(name)
        case .create(let replica):
            nextID += 1
            let id = ContainerID(rawValue: "c\(nextID)")
            observed.containers.append(
                ObservedContainer(id: id, replica: replica, fingerprint: fingerprint, phase: .created))
            guard observed.containers.count(where: { $0.replica == replica }) == 1 else {
                throw Broken(description: "\(replica) has two containers")
            }
        case .start(let id, _):
            let now = now
            change(id) { container, service in
                container.phase = .running(since: now)
                container.health = service?.isChecked == true ? .starting : nil
                container.wasStopped = false
            }
        case .drain(let id, _):
            let now = now
            change(id) { container, _ in container.drainingSince = now }
        case .undrain(let id, _): change(id) { container, _ in container.drainingSince = nil }
        case .stop(let id, _): end(id, code: 143, stopped: true)
        case .remove(let id, _): observed.containers.removeAll { $0.id == id }
        }
    }

    private mutating func change(_ id: ContainerID, _ body: (inout ObservedContainer, DesiredService?) -> Void) {
        guard let index = observed.containers.firstIndex(where: { $0.id == id }) else { return }
        body(&observed.containers[index], desired.service(observed.containers[index].replica.service))
    }

    private mutating func end(_ id: ContainerID, code: Int32, stopped: Bool = false) {
        let now = now
        change(id) { container, _ in
            guard case .running(let since) = container.phase else { return }
            container.phase = .exited(code: code, at: now)
            container.health = nil
            container.failures = now - since >= RestartDelay.stableAfter ? 1 : container.failures + 1
            container.wasStopped = stopped
        }
    }

    // MARK: The host's part

    /// One thing that goes wrong, or one thing that the user wants otherwise.
    mutating func fault(onlyEnds: Bool = false) {
        now = now + .milliseconds(Int64.random(in: 1...5000, using: &random))
        guard let victim = observed.containers.randomElement(using: &random) else {
            return onlyEnds ? () : change()
        }
        switch Int.random(in: 0..<(onlyEnds ? 4 : 10), using: &random) {
        case 0...2: end(victim.id, code: random.chance(50) ? 137 : 1)
        case 3: end(victim.id, code: 0)
        case 4...5:
            change(victim.id) { container, _ in if container.health != nil { container.health = .unhealthy } }
        case 6: settle()
        default: change()
        }
    }

    private mutating func change() {
        now = now + .milliseconds(1)
        desired.requestedAt = now
        guard let index = desired.services.indices.randomElement(using: &random) else { return }
        switch Int.random(in: 0..<6, using: &random) {
        case 0...1: desired.services[index].fingerprint += "+"
        case 2: desired.services[index].replicas = Int.random(in: 0...3, using: &random)
        case 3: desired.goal = random.chance(50) ? .stopped : .down(removeVolumes: random.chance(50))
        case 4: desired.goal = .up
        default:
            let gone = desired.services.remove(at: index).name
            for other in desired.services.indices {
                desired.services[other].dependencies.removeAll { $0.service == gone }
            }
        }
    }

    /// What comes by itself with time: probes succeed, one-shot services do their work, delays pass.
    mutating func settle(until wake: Timestamp? = nil) {
        now = max(now + .milliseconds(10), wake ?? now)
        for container in observed.containers where container.isRunning {
            if oneShots.contains(container.replica.service) {
                end(container.id, code: 0)
            } else if container.health != nil {
                change(container.id) { container, _ in container.health = .healthy }
            }
        }
    }

    /// A new command, as the last word.
    mutating func ask(_ goal: DesiredProject.Goal) {
        now = now + .milliseconds(1)
        desired.goal = goal
        desired.requestedAt = now
        for index in desired.services.indices where desired.services[index].replicas == 0 {
            desired.services[index].replicas = 1
        }
    }

    /// Runs without faults until nothing is left to do; counts the rounds.
    mutating func converge() throws {
        for _ in 0..<200 {
            let plan = try begin(percent: 100)
            if isIdle {
                let before = observed
                settle(until: plan.wakeAt)
                if plan.wakeAt == nil, observed == before { return }
            } else {
                try finish(percent: 60, failing: 0)
            }
        }
        throw Broken(description: "does not come to rest: \(plan(desired: desired, observed: observed, now: now).lines)")
    }
}

import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease
import EscaleTestSupport

/// How the replicas of one version behave.
enum Nature: CaseIterable {
    case good
    case cannotBeMade
    case crashesAtOnce
    case unhealthy
    case neverReady
    case crashesWithinMonitor
    case crashesLater
    case flaps
}

/// One replica in the world.
struct Replica {
    enum Phase: Equatable {
        /// Asked for, not there yet.
        case creating
        case starting
        case ready(since: Timestamp)
        case failed
        case completed
    }

    var phase = Phase.creating
    var isLeaving = false
    /// When it changes by itself.
    var changesAt: Timestamp?

    var isReady: Bool { if case .ready = phase { !isLeaving } else { false } }
    var exists: Bool { phase != .creating }
}

/// A service in the world: its replicas, and how each of its versions behaves.
struct Site {
    let name: ServiceName
    let isOneShot: Bool
    let isExclusive: Bool
    let isChecked: Bool
    var service: Service
    /// The version that the last release that succeeded left, and its slots.
    var base: Int?
    var baseSlots: Int
    var replicas: [Instance: Replica] = [:]
    var natures: [Int: Nature] = [:]
    /// Slots whose replicas have the nature; others are good.
    var afflicted: [Int: Set<Int>] = [:]
    var verdicts: [Int: Verdict] = [:]
    var baseCrashes = false
    var isBenign = false
    var bounds = Bounds()

    init(_ service: Service, isOneShot: Bool, isExclusive: Bool, isChecked: Bool, base: Int?) {
        name = service.name
        self.service = service
        self.isOneShot = isOneShot
        self.isExclusive = isExclusive
        self.isChecked = isChecked
        self.base = base
        baseSlots = base == nil ? 0 : service.replicas
    }

    func nature(_ instance: Instance) -> Nature {
        guard !isBenign, afflicted[instance.generation]?.contains(instance.slot) == true else { return .good }
        return natures[instance.generation] ?? .good
    }

    // MARK: What the release sees

    var view: ServiceView {
        var view = ServiceView()
        for (instance, replica) in replicas {
            view.replicas[instance] = condition(replica)
            view.figures[instance.generation] = figures(instance.generation)
        }
        if !isBenign, verdicts.contains(where: { generation, verdict in
            verdict == .error && replicas.keys.contains { $0.generation == generation }
        }) {
            view.checks = [.init(name: "command", verdict: .error, text: "exit code 7")]
        }
        return view
    }

    private func condition(_ replica: Replica) -> ServiceView.Condition? {
        if replica.isLeaving { return .leaving }
        return switch replica.phase {
        case .creating: nil
        case .starting: .starting
        case .ready(let since): .ready(since: since)
        case .failed: .failed("exited with code 1\nlast line of its log")
        case .completed: .completed
        }
    }

    private func figures(_ generation: Int) -> TrafficFigures {
        switch isBenign ? .successful : verdicts[generation] ?? .successful {
        case .successful, .error:
            TrafficFigures(requests: 1000, errors: 1, requestsPerSecond: 100, p95: .milliseconds(20))
        case .failed: TrafficFigures(requests: 1000, errors: 500, requestsPerSecond: 100, p95: .seconds(2))
        case .inconclusive: TrafficFigures(requests: 3, errors: 0, requestsPerSecond: 0.1)
        }
    }

    // MARK: The planner's part

    /// Makes it begin to be as asked.
    mutating func plan(_ allocation: Allocation, now: Timestamp, _ random: inout Seeded) throws {
        for (instance, replica) in replicas.sorted(by: { $0.key < $1.key }) {
            let isWanted = allocation.instances.contains(instance)
            if !isWanted && !replica.exists {
                replicas[instance] = nil
            } else if !isWanted && !replica.isLeaving {
                replicas[instance]?.isLeaving = true
                replicas[instance]?.changesAt = now + random.time(1...10_000)
            } else if isWanted && replica.isLeaving && random.chance(50) {
                // It had not gone yet and takes traffic again.
                replicas[instance]?.isLeaving = false
                replicas[instance]?.changesAt = now + random.time(1...3000)
            }
        }
        for instance in allocation.instances.sorted() where replicas[instance] == nil {
            replicas[instance] = Replica(changesAt: now + random.time(0...1000))
            try checkSurge(instance)
        }
    }

    // MARK: The host's part

    var nextChange: Timestamp? { replicas.values.compactMap(\.changesAt).min() }

    /// What happens by itself up to now.
    mutating func elapse(now: Timestamp, _ random: inout Seeded) {
        for (instance, replica) in replicas.sorted(by: { $0.key < $1.key }) {
            guard let time = replica.changesAt, time <= now else { continue }
            replicas[instance] = replica.isLeaving ? nil : changed(instance, replica, now: now, &random)
            let isStuck = replicas[instance]?.phase == .starting && nature(instance) == .neverReady
            if replicas[instance]?.phase == .failed || isStuck { bounds.noteFailure(of: instance, base: base) }
        }
    }

    private func changed(_ instance: Instance, _ old: Replica, now: Timestamp, _ random: inout Seeded) -> Replica {
        var replica = old
        replica.changesAt = nil
        let nature = nature(instance)
        switch old.phase {
        case .creating:
            replica.phase = nature == .cannotBeMade ? .failed : .starting
        case .starting:
            switch nature {
            case .cannotBeMade, .crashesAtOnce, .unhealthy: replica.phase = .failed
            case .neverReady: break
            case .good, .crashesWithinMonitor, .crashesLater, .flaps:
                replica.phase = isOneShot ? .completed : .ready(since: now)
            }
        case .ready:
            let isEnd = nature != .good || (instance.generation == base && baseCrashes && !isBenign)
            if isEnd { replica.phase = .failed }
        case .failed: replica.phase = .starting
        case .completed: break
        }
        replica.changesAt = nextChange(instance, replica.phase, now: now, &random)
        return replica
    }

    private func nextChange(
        _ instance: Instance, _ phase: Replica.Phase, now: Timestamp, _ random: inout Seeded
    ) -> Timestamp? {
        let nature = nature(instance)
        switch phase {
        case .creating, .completed: return nil
        case .starting:
            return switch nature {
            case .neverReady: nil
            case .unhealthy: now + random.time(3000...30_000)
            case .good, .cannotBeMade, .crashesAtOnce, .crashesWithinMonitor, .crashesLater, .flaps:
                now + random.time(0...5000)
            }
        case .ready:
            let monitor = Int64(service.resolvedUpdate.monitor.seconds * 1000)
            switch nature {
            case .crashesWithinMonitor: return now + random.time(1...max(1, monitor))
            case .crashesLater: return now + random.time(monitor + 1...monitor + 60_000)
            case .flaps: return now + random.time(1...8000)
            case .good, .cannotBeMade, .crashesAtOnce, .unhealthy, .neverReady:
                return instance.generation == base && baseCrashes && !isBenign ? now + random.time(1...60_000) : nil
            }
        case .failed:
            return isBenign || random.chance(80) ? now + random.time(100...20_000) : nil
        }
    }

    /// From here on nothing goes wrong any more.
    mutating func heal(now: Timestamp) {
        isBenign = true
        for instance in replicas.keys where replicas[instance]?.isLeaving == false {
            switch replicas[instance]?.phase {
            case .failed, .starting: replicas[instance]?.changesAt = now + .seconds(1)
            case .creating, .ready, .completed, nil: break
            }
        }
    }
}

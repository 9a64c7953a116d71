import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease
import EscaleTestSupport

/// How few and how many replicas there may be since the last release that succeeded, said in the plainest way.
struct Bounds {
    /// Whether the version before was complete when the release began, and nothing happened to it since.
    var isFloorKnown = false
    /// The fewest slots of any version concerned.
    var slots = 0
    /// How many of them a stop-first exchange may take down at a time.
    var atATime = 0
    var surge = 0
    /// Slots where a version failed that isn't the proven one.
    private(set) var wounded: Set<Int> = []

    var floor: Int { slots - atATime - wounded.count }

    mutating func noteFailure(of instance: Instance, base: Int?) {
        if instance.generation == base { isFloorKnown = false } else { wounded.insert(instance.slot) }
    }
}

extension Site {
    var readyCount: Int { replicas.values.count(where: \.isReady) }

    /// Bounds for a first release after one that succeeded, or wider ones for one that takes over.
    mutating func widenBounds(for change: Change, isFirst: Bool) {
        let before = bounds
        bounds = Bounds()
        let most = max(change.oldSlots, change.newSlots, replicas.keys.map(\.slot).max() ?? 0)
        bounds.slots = min(change.oldSlots, change.newSlots)
        switch change.kind {
        case .oneShot:
            bounds.surge = .max  // what has done its work takes nothing
            bounds.slots = 0
        case .rolling, .added, .blueGreen, .canary:
            let isShift = change.kind == .blueGreen || change.kind == .canary
            bounds.surge = most + (isShift ? change.newSlots : 0)
            // One that was complete goes back slot by slot, also where it came by a shift.
            for config in (isShift ? [] : [service.resolvedUpdate]) + [service.resolvedRollback] {
                let batch = min(config.parallelism > 0 ? config.parallelism : most, most)
                if isExclusive {
                    bounds.atATime = most
                } else if config.order == .startFirst {
                    bounds.surge = max(bounds.surge, most + batch)
                } else {
                    bounds.atATime = max(bounds.atATime, batch)
                }
            }
        }
        if isFirst {
            bounds.isFloorKnown = replicas.count == baseSlots && readyCount == baseSlots
            return
        }
        bounds.isFloorKnown = before.isFloorKnown
        bounds.slots = min(bounds.slots, before.slots)
        bounds.atATime = max(bounds.atATime, before.atATime)
        bounds.surge = max(bounds.surge, before.surge)
        for slot in before.wounded { bounds.noteFailure(of: Instance(generation: -1, slot: slot), base: nil) }
    }

    /// Nothing is made beyond the surge.
    func checkSurge(_ made: Instance) throws {
        guard replicas.count <= bounds.surge else {
            throw Broken(description: "\(name): \(made) is made beyond the surge of \(bounds.surge): \(picture)")
        }
    }

    /// At any moment.
    func check(_ change: Change, hasFreshStart: Bool) throws {
        if bounds.isFloorKnown && readyCount < bounds.floor {
            throw Broken(description: "\(name): \(readyCount) ready, the floor is \(bounds.floor): \(picture)")
        }
        if isExclusive, Set(replicas.filter(\.value.exists).keys.map(\.generation)).count > 1 {
            throw Broken(description: "\(name): two versions write one volume: \(picture)")
        }
        try checkTraffic(change)
        guard hasFreshStart, case .shifting(let shift) = change.work else { return }
        switch shift.stage {
        case .scaling, .holding:
            guard change.allocation.slots(of: shift.old).count == change.oldSlots else {
                throw Broken(description: "\(name): the old version isn't complete before the new one was watched")
            }
        case .warm, .retiring, .complete, .restoring, .withdrawing, .undone: break
        }
    }

    private func checkTraffic(_ change: Change) throws {
        let candidates = replicas.filter(\.value.exists).map { instance, replica in
            TrafficShare.Candidate(
                container: ContainerID(rawValue: "\(instance.generation)-\(instance.slot)"),
                isNew: instance.generation == change.new, isRunning: replica.phase != .failed,
                isStarting: replica.phase == .starting, isReady: replica.isReady, isLeaving: replica.isLeaving)
        }
        try checkWeights(candidates, newShare: change.allocation.newShare, waits: true)
    }

    var picture: String {
        replicas.sorted { $0.key < $1.key }.map { instance, replica in
            "\(instance.generation)/\(instance.slot) \(replica.isLeaving ? "leaving" : "\(replica.phase)".prefix(8).description)"
        }.joined(separator: ", ")
    }
}

/// What must be true of the weights, whatever the candidates.
func checkWeights(_ candidates: [TrafficShare.Candidate], newShare: Int?, waits: Bool) throws {
    let weights = TrafficShare.weights(candidates, newShare: newShare, waits: waits)
    func demand(_ holds: Bool, _ rule: String) throws {
        if !holds { throw Broken(description: "\(rule): \(weights) for \(candidates), share \(newShare ?? -1)") }
    }
    let takers = candidates.filter { (weights[$0.container] ?? 0) > 0 }
    let ready = candidates.filter { $0.isReady && !$0.isLeaving }
    try demand(takers.count == weights.count, "a weight that isn't above zero")
    try demand(!takers.contains(where: \.isLeaving), "one on its way out takes traffic")
    try demand(ready.isEmpty || takers.allSatisfy(\.isReady), "one that isn't ready takes traffic beside one that is")
    if waits { try demand(!takers.contains { $0.isStarting && !$0.isReady }, "one that starts takes traffic") }
    let able = ready.isEmpty ? candidates.filter { $0.isRunning && !$0.isLeaving && !(waits && $0.isStarting) } : ready
    try demand(able.isEmpty == takers.isEmpty, "nobody takes traffic")
    guard let newShare, able.contains(where: \.isNew), able.contains(where: { !$0.isNew }) else {
        return try demand(Set(weights.values).count <= 1 && takers.count == able.count, "not the same to each")
    }
    let sum = takers.reduce(0) { $0 + (weights[$1.container] ?? 0) }
    let new = takers.filter(\.isNew).reduce(0) { $0 + (weights[$1.container] ?? 0) }
    try demand(new * 100 == newShare * sum, "the new version's share is \(new) of \(sum)")
}

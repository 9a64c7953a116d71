import EscaleCompose
package import EscaleCore

/// Exchanges a service's replicas slot by slot for those of one version: a rolling update, forwards or back.
///
/// Follows `update_config` of the Compose Deploy Specification. Ready replicas never get fewer than the slots less one
/// batch (stop-first) or than the slots (start-first), and running ones never more than the slots and one batch.
package struct Exchange: Codable, Hashable, Sendable {
    package enum Stage: Codable, Hashable, Sendable {
        /// Nothing is under way. → `starting`, `stopping`, `retiring`, `watching`
        case choosing
        /// Stop-first: the replicas of these slots go. → `starting`
        case stopping([Int])
        /// The new replicas of these slots come. → `retiring` (start-first), `resting` (stop-first)
        case starting([Int], since: Timestamp)
        /// The former replicas of these slots go. → `resting`, `choosing`
        case retiring([Int])
        /// Between two batches. → `choosing`
        case resting(until: Timestamp)
        /// All is exchanged; the last ones may still fail. → `complete`
        case watching(until: Timestamp)
        /// Stays.
        case complete
    }

    /// The version that shall hold every slot.
    package let target: Int
    /// How many slots there shall be.
    package let slots: Int
    let config: UpdateConfig
    /// Whether two versions must never run at the same time, since both write one volume.
    let isExclusive: Bool
    /// How long a replica has to be ready before it counts.
    let settle: Duration
    package private(set) var stage = Stage.choosing
    /// When each exchanged replica was found ready: from then on it is watched for `monitor`.
    private var readyAt: [Int: Timestamp] = [:]
    private var begun: Set<Int> = []
    private(set) var failures: [Int: String] = [:]
    /// Whether failures no longer matter: `failure_action: continue`, or somebody said so.
    var isTolerant = false

    init(target: Int, slots: Int, config: UpdateConfig, isExclusive: Bool, settle: Duration) {
        self.target = target
        self.slots = slots
        self.config = config
        self.isExclusive = isExclusive
        self.settle = settle
    }

    private var startsFirst: Bool { config.order == .startFirst && !isExclusive }
    private var batchSize: Int { isExclusive || config.parallelism <= 0 ? max(slots, 1) : config.parallelism }

    /// Looks at the replicas and asks for what comes next.
    mutating func advance(_ allocation: inout Allocation, _ view: ServiceView, now: Timestamp) -> Outcome {
        while true {
            noteFailures(view, now)
            if let verdict { return .failed(verdict) }
            let before = stage
            let wakeAt = step(&allocation, view, now)
            if stage == .complete { return .complete }
            if stage == before { return .going(wakeAt: wakeAt) }
        }
    }

    /// Takes the next step if its time has come; otherwise says when to look again.
    private mutating func step(_ allocation: inout Allocation, _ view: ServiceView, _ now: Timestamp) -> Timestamp? {
        switch stage {
        case .choosing:
            choose(&allocation, view, now)
            return nil
        case .stopping(let batch):
            guard areGone(from: batch, view, isExclusive) else { return nil }
            begin(batch, &allocation, now)
            return nil
        case .starting(let batch, let since):
            return awaitReady(batch, since: since, &allocation, view, now)
        case .retiring(let batch):
            guard areGone(from: batch, view, false) else { return nil }
            rest(allocation, now)
            return nil
        case .resting(let until), .watching(let until):
            guard now >= until else { return until }
            if case .resting = stage { stage = .choosing } else { stage = .complete }
            return nil
        case .complete:
            return nil
        }
    }

    private mutating func choose(_ allocation: inout Allocation, _ view: ServiceView, _ now: Timestamp) {
        // What the target holds already, and is ready there, needs nobody beside it.
        for slot in Allocation.slots(upTo: slots)
        where allocation.contains(target, slot) && view.isReady(target, slot, for: .zero, now: now) {
            allocation.remove { $0.slot == slot && $0.generation != target }
        }
        keepOneOfEachSlot(&allocation, view, now)
        let open = Allocation.slots(upTo: slots).filter { slot in
            !allocation.contains(target, slot) || allocation.instances.contains { $0.slot == slot && $0.generation != target }
        }
        // First come slots without a ready replica, since there is nothing to lose in them; start-first, before those,
        // slots that hold one too many already.
        let ready = Set(allocation.instances.filter { view.isReady($0.generation, $0.slot, for: .zero, now: now) }.map(\.slot))
        func rank(_ slot: Int) -> Int {
            startsFirst && allocation.instances.count(where: { $0.slot == slot }) > 1 ? 0 : ready.contains(slot) ? 2 : 1
        }
        let batch = Array(open.sorted { (rank($0), $0) < (rank($1), $1) }.prefix(batchSize)).sorted()
        guard !batch.isEmpty else { return finish(&allocation, view, now) }
        // What is still on its way out, of an earlier release or of a way forwards, counts as running.
        let isNext = { (next: Instance) in next.generation == target && batch.contains(next.slot) }
        guard !view.hasStrangers(to: allocation, besides: isNext) else { return }
        if startsFirst {
            begin(batch, &allocation, now)
        } else {
            let all = isExclusive
            allocation.remove { ($0.generation != target || $0.slot > slots) && (all || batch.contains($0.slot)) }
            stage = .stopping(batch)
        }
    }

    /// Where two other versions share a slot, since a release took over from one that didn't end, one is enough: a ready
    /// one, the older first.
    private func keepOneOfEachSlot(_ allocation: inout Allocation, _ view: ServiceView, _ now: Timestamp) {
        let others = Dictionary(grouping: allocation.instances.filter { $0.generation != target }, by: \.slot)
        for (slot, instances) in others where instances.count > 1 {
            let sorted = instances.sorted { $0.generation < $1.generation }
            let ready = sorted.first { view.isReady($0.generation, slot, for: .zero, now: now) }
            let keeper = ready ?? sorted.first
            allocation.remove { $0.slot == slot && $0.generation != target && $0 != keeper }
        }
    }

    private mutating func begin(_ batch: [Int], _ allocation: inout Allocation, _ now: Timestamp) {
        allocation.add(target, slots: batch)
        begun.formUnion(batch)
        stage = .starting(batch, since: now)
    }

    private mutating func awaitReady(
        _ batch: [Int], since: Timestamp, _ allocation: inout Allocation, _ view: ServiceView, _ now: Timestamp
    ) -> Timestamp? {
        let waiting = batch.filter { failures[$0] == nil && !view.isReady(target, $0, for: settle, now: now) }
        if !waiting.isEmpty {
            guard now - since < readinessLimit else {
                for slot in waiting { failures[slot] = "not ready within \(readinessLimit.composeText)" }
                return now
            }
            return view.readyTime(target, slots: waiting, for: settle) ?? since + readinessLimit
        }
        for slot in batch where failures[slot] == nil { readyAt[slot] = now }
        allocation.remove { $0.generation != target && batch.contains($0.slot) }
        stage = .retiring(batch)
        return nil
    }

    private mutating func rest(_ allocation: Allocation, _ now: Timestamp) {
        let isLast = Allocation.slots(upTo: slots).allSatisfy { allocation.contains(target, $0) }
        stage = isLast || config.delay <= .zero ? .choosing : .resting(until: now + config.delay)
    }

    /// Every slot is the target's: what is left of other versions goes, and the youngest replicas are watched.
    private mutating func finish(_ allocation: inout Allocation, _ view: ServiceView, _ now: Timestamp) {
        allocation.remove { $0.generation != target || $0.slot > slots }
        let surplus = view.replicas.keys.filter { !allocation.instances.contains($0) }.map(\.slot)
        guard surplus.isEmpty else {
            stage = .retiring(Array(Set(surplus)).sorted())
            return
        }
        stage = .watching(until: (readyAt.values.max() ?? now) + (readyAt.isEmpty ? .zero : config.monitor))
    }

    private func areGone(from batch: [Int], _ view: ServiceView, _ everywhere: Bool) -> Bool {
        !view.replicas.keys.contains { instance in
            let concerns = everywhere || batch.contains(instance.slot)
            return concerns && (instance.generation != target || instance.slot > slots)
        }
    }

    // MARK: Failures

    /// Watches what is there for its whole time again: nobody looked meanwhile.
    mutating func watchAgain(now: Timestamp) {
        readyAt = readyAt.mapValues { _ in now }
        if case .watching = stage { stage = .watching(until: now + (readyAt.isEmpty ? .zero : config.monitor)) }
    }

    private mutating func noteFailures(_ view: ServiceView, _ now: Timestamp) {
        for slot in begun where failures[slot] == nil {
            guard let evidence = view.end(target, slot) else { continue }
            if let ready = readyAt[slot], now - ready > config.monitor { continue }
            failures[slot] = evidence
        }
    }

    private var verdict: String? {
        guard !isTolerant, !failures.isEmpty,
            Double(failures.count) / Double(max(slots, 1)) > config.maxFailureRatio
        else { return nil }
        return failures.sorted { $0.key < $1.key }.first?.value
    }

    // MARK: For people

    var stepText: String {
        let done = begun.count
        switch stage {
        case .choosing, .resting: return "\(done) of \(slots)"
        case .stopping(let batch), .starting(let batch, _), .retiring(let batch):
            return "\(batch.count == 1 ? "replica" : "replicas") \(batch.map(String.init).joined(separator: ", ")) of \(slots)"
        case .watching: return "watched"
        case .complete: return "done"
        }
    }

    var waitsFor: String? {
        switch stage {
        case .choosing, .complete: nil
        case .stopping: "the former replicas to stop"
        case .starting: "the new replicas to be ready"
        case .retiring: "the former replicas to drain and stop"
        case .resting(let until): "the delay between batches, until \(until.timeOfDay)"
        case .watching(let until): "failures within `monitor`, until \(until.timeOfDay)"
        }
    }
}

extension Timestamp {
    /// `22:54:01` UTC, for sentences.
    var timeOfDay: String { String(description.dropFirst(11).prefix(8)) }
}

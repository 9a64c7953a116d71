package import EscaleCompose
package import EscaleCore

/// What a release does with one service.
package struct Change: Codable, Hashable, Sendable {
    package enum Kind: String, Codable, Hashable, Sendable {
        /// There was no such service.
        case added
        /// A task that runs to its end, once per release: a migration.
        case oneShot = "one-shot"
        case rolling
        case blueGreen = "blue-green"
        case canary
    }

    package enum Work: Codable, Hashable, Sendable {
        /// For the changes that it depends on. → `starting`, `exchanging`, `shifting`
        case waiting
        /// `added` and `oneShot`: the replicas come. → `complete`, `withdrawing`
        case starting(since: Timestamp)
        case exchanging(Exchange)
        case shifting(Shift)
        /// Going back to nothing. → `undone`
        case withdrawing
        /// Stays, unless the release goes back.
        case complete
        /// Stays.
        case undone
    }

    package let service: ServiceName
    package let kind: Kind
    /// Services of the same release whose changes come first.
    package let after: Set<ServiceName>
    /// The version to go back to: the last that proved itself. `nil` where there is none.
    package let old: Int?
    package let oldSlots: Int
    package let new: Int
    package let newSlots: Int
    /// Whether it may end well, as the version before did though nothing waits for its end: then it is as ready as it gets. `nil` for
    /// no.
    package var endsWell: Bool?
    private let settings: ReleaseSettings
    private let update: UpdateConfig
    private let rollback: UpdateConfig
    private let isExclusive: Bool
    private let settle: Duration
    /// `nil` where it may take any time: a task, or what waits for the rest of a new project.
    private let readyWithin: Duration?
    package private(set) var allocation: Allocation
    package private(set) var work = Work.waiting

    /// - Parameters:
    ///   - service: as the new version has it.
    ///   - standing: what of the service runs, or shall run, before the release.
    ///   - ready: those of them that are ready and stay unless they are told to go: where two versions share a slot, a
    ///     replica that is ready stays before one that isn't.
    ///   - isChecked: whether a health check tells when a replica is ready.
    ///   - beginsAt: for a project that is new as a whole: nothing has to be kept up, so everything begins at once, and
    ///     the dependencies' own conditions give the order.
    package init(
        _ service: Service, kind: Kind, after: Set<ServiceName>, old: Int?, oldSlots: Int, new: Int,
        standing: Set<Instance>, ready: Set<Instance> = [], isChecked: Bool, beginsAt: Timestamp? = nil
    ) {
        self.init(
            service.name, ReleaseTerms(service), kind: kind, after: after, old: old, oldSlots: oldSlots, new: new,
            newSlots: service.replicas, standing: standing, ready: ready, isChecked: isChecked, beginsAt: beginsAt)
    }

    /// The same where the service's terms are all that is known of it.
    package init(
        _ service: ServiceName, _ terms: ReleaseTerms, kind: Kind, after: Set<ServiceName>, old: Int?, oldSlots: Int, new: Int,
        newSlots: Int, standing: Set<Instance>, ready: Set<Instance> = [], isChecked: Bool, beginsAt: Timestamp? = nil
    ) {
        self.service = service
        self.kind = kind
        self.after = after
        self.old = old
        self.oldSlots = oldSlots
        self.new = new
        self.newSlots = newSlots
        settings = terms.settings
        isExclusive = terms.isExclusive
        update = terms.update
        rollback = terms.rollback
        settle = settings.minHealthy ?? (isChecked ? .zero : .milliseconds(500))
        readyWithin = kind == .oneShot || beginsAt != nil ? nil : readinessLimit
        allocation = Self.start(standing, ready, kind: kind, old: old, new: new)
        // What an attempt before left is exchanged in its turn.
        guard let beginsAt, hasOnly(new) else { return }
        allocation.add(new, slots: Allocation.slots(upTo: newSlots))
        work = .starting(since: beginsAt)
    }

    /// Of each slot one replica of before stays: a ready one, the proven version's if it can be; a new version that is
    /// there already, kept warm, stays too.
    private static func start(
        _ standing: Set<Instance>, _ ready: Set<Instance>, kind: Kind, old: Int?, new: Int
    ) -> Allocation {
        var allocation = Allocation()
        for (_, instances) in Dictionary(grouping: standing.filter { $0.generation != new }, by: \.slot) {
            let able = instances.filter(ready.contains)
            let choice = able.isEmpty ? instances : able
            let proven = choice.first { $0.generation == old }
            if let keeper = proven ?? choice.max(by: { $0.generation < $1.generation }) {
                allocation.instances.insert(keeper)
            }
        }
        allocation.instances.formUnion(standing.filter { $0.generation == new })
        switch kind {
        case .blueGreen, .canary: allocation.newShare = 0
        case .added, .oneShot, .rolling: break
        }
        return allocation
    }

    // MARK: Forwards

    mutating func advance(_ view: ServiceView, now: Timestamp) -> Outcome {
        if work == .waiting {
            guard hasWayClear(view) else { return .going(wakeAt: nil) }
            begin(now)
        }
        switch work {
        case .starting(let since): return awaitStart(since: since, view, now)
        case .exchanging(var exchange):
            let outcome = exchange.advance(&allocation, view, now: now)
            work = outcome == .complete ? .complete : .exchanging(exchange)
            return outcome
        case .shifting(var shift):
            let outcome = shift.advance(&allocation, view, now: now)
            work = outcome == .complete ? .complete : .shifting(shift)
            return outcome
        case .complete, .undone, .waiting, .withdrawing: return .complete
        }
    }

    private mutating func begin(_ now: Timestamp) {
        switch kind {
        case .added where hasOnly(new), .oneShot:
            allocation.add(new, slots: Allocation.slots(upTo: newSlots))
            work = .starting(since: now)
        case .rolling, .added:
            work = .exchanging(
                Exchange(target: new, slots: newSlots, config: update, isExclusive: isExclusive, settle: settle))
        case .blueGreen, .canary:
            guard let old else {
                allocation.add(new, slots: Allocation.slots(upTo: newSlots))
                work = .starting(since: now)
                return
            }
            var settings = settings
            settings.strategy = kind == .canary ? .canary : .blueGreen
            work = .shifting(
                Shift(
                    old: old, oldSlots: oldSlots, new: new, newSlots: newSlots, settings: settings,
                    monitor: update.monitor, settle: settle, now: now))
        }
    }

    /// Whether no other version's task is at work, on the same data as like as not. One that is gets stopped first.
    private mutating func hasWayClear(_ view: ServiceView) -> Bool {
        guard kind == .oneShot else { return true }
        let others = Set(view.replicas.filter { $0.key.generation != new && $0.value != .completed }.keys)
        allocation.remove { others.contains($0) }
        return others.isEmpty
    }

    private mutating func awaitStart(since: Timestamp, _ view: ServiceView, _ now: Timestamp) -> Outcome {
        let slots = Allocation.slots(upTo: newSlots)
        if let evidence = view.firstFailure(new, slots) { return .failed(evidence) }
        let isThere = slots.allSatisfy { slot in
            switch view.condition(new, slot) {
            case .completed: true
            case .ready: kind != .oneShot && view.isReady(new, slot, for: settle, now: now)
            case .starting, .failed, .leaving, nil: false
            }
        }
        guard isThere else {
            let limit = readyWithin.map { since + $0 }
            if let readyWithin, let limit, now >= limit { return .failed("not ready within \(readyWithin.composeText)") }
            let running = slots.filter { view.condition(new, $0) != .completed }
            // What a task waits for is its end, of which no time is known.
            let settled = kind == .oneShot ? nil : view.readyTime(new, slots: running, for: settle)
            return .going(wakeAt: settled ?? limit)
        }
        allocation.remove { $0.generation != new || $0.slot > newSlots }
        allocation.newShare = nil
        work = .complete
        return .complete
    }

    // MARK: Back

    /// Turns round. What has nothing to go back to, or was not begun, is undone at once or withdrawn.
    mutating func goBack(now: Timestamp) {
        if kind == .oneShot && old == new {  // run again: it isn't run backwards
            work = .undone
            return
        }
        switch work {
        case .waiting:
            // Nothing was begun, but an earlier release that this one took over from may have been.
            guard let old, kind != .oneShot else { return withdraw() }
            let all = Set(Allocation.slots(upTo: oldSlots).map { Instance(generation: old, slot: $0) })
            if allocation.instances != all { return exchangeBack(to: old) }
            allocation.newShare = nil
            work = .undone
        case .shifting(var shift):
            shift.goBack(now: now)
            work = .shifting(shift)
        case .starting: withdraw()
        case .exchanging, .complete:
            guard let old, kind != .oneShot else { return withdraw() }
            exchangeBack(to: old)
        case .withdrawing, .undone: break
        }
    }

    /// To what there is of the old version, or nothing.
    private mutating func withdraw() {
        allocation.remove { $0.generation != old }
        allocation.newShare = nil
        work = .withdrawing
    }

    private func hasOnly(_ generation: Int) -> Bool { allocation.instances.allSatisfy { $0.generation == generation } }

    private mutating func exchangeBack(to old: Int) {
        allocation.newShare = nil
        work = .exchanging(
            Exchange(target: old, slots: oldSlots, config: rollback, isExclusive: isExclusive, settle: settle))
    }

    /// As ``advance(_:now:)``, on the way back.
    mutating func retreat(_ view: ServiceView, now: Timestamp) -> Outcome {
        switch work {
        case .waiting, .starting, .complete:
            goBack(now: now)
            return work == .undone ? .complete : retreat(view, now: now)
        case .withdrawing:
            guard !view.replicas.keys.contains(where: { !allocation.instances.contains($0) }) else {
                return .going(wakeAt: nil)
            }
            work = .undone
            return .complete
        case .exchanging(var exchange):
            let outcome = exchange.advance(&allocation, view, now: now)
            work = outcome == .complete ? .undone : .exchanging(exchange)
            return outcome
        case .shifting(var shift):
            guard allocation.instances.allSatisfy({ [shift.old, shift.new].contains($0.generation) }) else {
                // Beside an earlier release that didn't end: what took the traffic before takes it until the old is back.
                allocation.remove { $0.generation == new }
                exchangeBack(to: shift.old)
                return retreat(view, now: now)
            }
            let outcome = shift.advance(&allocation, view, now: now)
            work = outcome == .complete ? .undone : .shifting(shift)
            return outcome
        case .undone: return .complete
        }
    }

    // MARK: Commands

    mutating func promote() -> Bool {
        guard case .shifting(var shift) = work, shift.promote() else { return false }
        work = .shifting(shift)
        return true
    }

    /// Failures no longer stop it.
    mutating func tolerate() {
        switch work {
        case .exchanging(var exchange):
            exchange.isTolerant = true
            work = .exchanging(exchange)
        case .shifting(var shift):
            shift.isTolerant = true
            work = .shifting(shift)
        case .waiting, .starting, .withdrawing, .complete, .undone: break
        }
    }

    /// Nobody looked for a while: what was exchanged is watched for its whole time again.
    mutating func watchAgain(now: Timestamp) {
        guard case .exchanging(var exchange) = work else { return }
        exchange.watchAgain(now: now)
        work = .exchanging(exchange)
    }

    /// Holds the step at hand for its whole time again.
    mutating func repeatStep(now: Timestamp) {
        guard case .shifting(var shift) = work else { return }
        shift.repeatStep(now: now)
        work = .shifting(shift)
    }

    /// Tries the way back once more.
    mutating func retryBack(now: Timestamp) {
        switch work {
        case .exchanging(let exchange): exchangeBack(to: exchange.target)
        case .shifting(var shift):
            shift.retryBack(now: now)
            work = .shifting(shift)
        case .waiting, .starting, .withdrawing, .complete, .undone: break
        }
    }

    var failureAction: UpdateConfig.FailureAction { kind == .rolling ? update.failureAction : .rollback }
    var rollbackAction: UpdateConfig.FailureAction { rollback.failureAction }

    // MARK: What it looks like

    /// How many replicas run beside those that serve, at most.
    package var surge: Int {
        switch kind {
        case .added, .oneShot: 0
        case .blueGreen, .canary: newSlots
        case .rolling:
            isExclusive || update.order != .startFirst ? 0 : min(newSlots, update.parallelism <= 0 ? newSlots : update.parallelism)
        }
    }

    /// Whether the new version is what runs and proved itself.
    package var isSettled: Bool {
        switch work {
        case .complete: true
        case .shifting(let shift): shift.isSettled
        case .waiting, .starting, .exchanging, .withdrawing, .undone: false
        }
    }

    var isUnderWay: Bool {
        switch work {
        case .exchanging, .shifting: true
        case .waiting, .starting, .withdrawing, .complete, .undone: false
        }
    }

    package var isUndone: Bool { work == .undone }
    package var waitsForPromotion: Bool { if case .shifting(let shift) = work { shift.waitsForPromotion } else { false } }

    /// From when on figures count for the judgement at hand; `nil` where nothing is judged.
    package var windowStart: Timestamp? { if case .shifting(let shift) = work { shift.windowStart } else { nil } }

    /// The newest judgement, for the record.
    var judgement: String? { if case .shifting(let shift) = work { shift.lastText } else { nil } }

    /// Why replicas of the exchange at hand failed, by slot.
    var failures: [Int: String] { if case .exchanging(let exchange) = work { exchange.failures } else { [:] } }

    /// One or two words: where it is.
    package var stepText: String {
        switch work {
        case .waiting: "waiting"
        case .starting: kind == .oneShot ? "running" : "starting"
        case .exchanging(let exchange): exchange.stepText
        case .shifting(let shift): shift.stepText
        case .withdrawing: "going back"
        case .complete: "done"
        case .undone: "undone"
        }
    }

    /// What it waits for, in words.
    package var waitsFor: String? {
        switch work {
        case .waiting: after.isEmpty ? nil : after.sorted().map(\.rawValue).joined(separator: ", ")
        case .starting: kind == .oneShot ? "it to complete" : "the replicas to be ready"
        case .exchanging(let exchange): exchange.waitsFor
        case .shifting(let shift): shift.waitsFor
        case .withdrawing: "the new replicas to stop"
        case .complete, .undone: nil
        }
    }
}

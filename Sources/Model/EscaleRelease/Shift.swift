import EscaleCompose
package import EscaleCore

/// Moves traffic from a complete old version to a new one beside it: blue-green and canary.
///
/// Capacity is there before weight, forwards and back; the old version stays complete until the new one has been
/// watched at full weight, so that going back is one change of weights.
package struct Shift: Codable, Hashable, Sendable {
    /// A share of the traffic, the replicas that it takes, and how long it is held.
    package struct Stop: Codable, Hashable, Sendable {
        /// Percent.
        package let weight: Int
        let replicas: Int
        let pause: ReleaseSettings.CanaryStep.Pause
    }

    package enum Stage: Codable, Hashable, Sendable {
        /// The replicas for this stop come, before its weight. → `holding`
        case scaling(Int, since: Timestamp)
        /// At this stop's weight, judged meanwhile. → `scaling` of the next, `warm`
        case holding(Int, since: Timestamp)
        /// The new version has everything and passed; the old one is ready to come back. → `retiring`
        case warm(until: Timestamp)
        /// The old version goes. → `complete`
        case retiring
        /// Stays.
        case complete
        /// Going back: the old version's replicas have to be ready before they get everything. → `withdrawing`
        case restoring(since: Timestamp)
        /// The new version goes. → `undone`
        case withdrawing
        /// Stays.
        case undone
    }

    package let old: Int
    package let new: Int
    private let oldSlots: Int
    private let newSlots: Int
    package let stops: [Stop]
    private let warmth: Duration
    private let settle: Duration
    private let analysis: Analysis?
    package private(set) var stage: Stage
    /// Whether somebody ended the stop at hand.
    private var isPromoted = false
    /// Whether it goes back even to replicas that don't come up.
    var isTolerant = false
    private var lastJudged: Timestamp?
    private var lastVerdict: Verdict?
    /// What a judgement said that was not acted upon: each other verdict, and the last of a stop.
    private(set) var lastText: String?

    init(
        old: Int, oldSlots: Int, new: Int, newSlots: Int, settings: ReleaseSettings, monitor: Duration,
        settle: Duration, now: Timestamp
    ) {
        self.old = old
        self.oldSlots = oldSlots
        self.new = new
        self.newSlots = newSlots
        self.settle = settle
        analysis = settings.analysis
        let watch = max(monitor, settings.analysis?.interval ?? .zero)
        switch settings.strategy {
        case .blueGreen, .rolling:
            warmth = settings.keepWarm
            let probing = settings.analysis.flatMap { $0.probePath == nil ? nil : $0.interval } ?? .zero
            stops = [
                Stop(weight: 0, replicas: newSlots, pause: settings.promotesByHand ? .manual : .lasting(probing)),
                Stop(weight: 100, replicas: newSlots, pause: .lasting(watch)),
            ]
        case .canary:
            warmth = .zero
            let steps = settings.steps.filter { $0.weight < 100 }.map { step in
                Stop(weight: step.weight, replicas: Self.capacity(step.weight, of: newSlots), pause: step.pause)
            }
            let last = settings.steps.last.flatMap { $0.weight == 100 ? $0.pause : nil }
            stops = steps + [Stop(weight: 100, replicas: newSlots, pause: last ?? .lasting(watch))]
        }
        stage = .scaling(0, since: now)
    }

    /// The replicas that a share of the traffic takes: rounded up, at least one.
    static func capacity(_ weight: Int, of slots: Int) -> Int {
        slots == 0 ? 0 : min(slots, max(1, (slots * weight + 99) / 100))
    }

    mutating func advance(_ allocation: inout Allocation, _ view: ServiceView, now: Timestamp) -> Outcome {
        while true {
            let before = stage
            let outcome = step(&allocation, view, now)
            if stage == .complete || stage == .undone { return .complete }
            if let outcome { return outcome }
            if stage == before { return .going(wakeAt: nil) }
        }
    }

    /// Takes the next step if its time has come, or says why not; `nil` to look on.
    private mutating func step(_ allocation: inout Allocation, _ view: ServiceView, _ now: Timestamp) -> Outcome? {
        switch stage {
        case .scaling(let index, let since):
            guard let stop = stop(index) else { return nil }
            // What an earlier release left on its way out counts as running.
            if index == 0 && view.hasStrangers(to: allocation, besides: { $0.generation == new }) { return .going(wakeAt: nil) }
            allocation.add(new, slots: Allocation.slots(upTo: stop.replicas))
            return awaitReady(stop, index, since: since, &allocation, view, now)
        case .holding(let index, let since):
            return hold(index, since: since, &allocation, view, now)
        case .warm(let until):
            guard now >= until else { return .going(wakeAt: until) }
            allocation.remove { $0.generation != new }
            stage = .retiring
            return nil
        case .retiring:
            allocation.remove { $0.generation != new || $0.slot > newSlots }
            guard !view.replicas.keys.contains(where: { !allocation.instances.contains($0) }) else { return nil }
            allocation.newShare = nil
            stage = .complete
            return nil
        case .restoring(let since):
            // What is missing of it comes when nothing else is on its way out any more.
            if !view.hasStrangers(to: allocation, besides: { [old] in $0.generation == old }) {
                allocation.add(old, slots: Allocation.slots(upTo: oldSlots))
            }
            return restore(since: since, &allocation, view, now)
        case .withdrawing:
            guard !view.replicas.keys.contains(where: { !allocation.instances.contains($0) }) else { return nil }
            allocation.newShare = nil
            stage = .undone
            return nil
        case .complete, .undone:
            return nil
        }
    }

    private func stop(_ index: Int) -> Stop? { stops.indices.contains(index) ? stops[index] : nil }

    private mutating func awaitReady(
        _ stop: Stop, _ index: Int, since: Timestamp, _ allocation: inout Allocation, _ view: ServiceView,
        _ now: Timestamp
    ) -> Outcome? {
        let slots = Allocation.slots(upTo: stop.replicas)
        if let evidence = newFailure(view) { return .failed(evidence) }
        guard slots.allSatisfy({ view.isReady(new, $0, for: settle, now: now) }) else {
            guard now - since < readinessLimit else {
                return .failed("not ready within \(readinessLimit.composeText)")
            }
            return .going(wakeAt: view.readyTime(new, slots: slots, for: settle) ?? since + readinessLimit)
        }
        allocation.newShare = stop.weight
        isPromoted = false
        lastJudged = nil
        lastVerdict = nil
        lastText = nil
        stage = .holding(index, since: now)
        return nil
    }

    private mutating func hold(
        _ index: Int, since: Timestamp, _ allocation: inout Allocation, _ view: ServiceView, _ now: Timestamp
    ) -> Outcome? {
        guard let stop = stop(index) else { return nil }
        if let evidence = newFailure(view) { return .failed(evidence) }
        let isOver: Bool
        var wakeAt: Timestamp?
        switch stop.pause {
        case .manual: isOver = isPromoted
        case .lasting(let pause):
            isOver = isPromoted || now >= since + pause
            wakeAt = since + pause
        }
        if let outcome = judge(stop, view, isOver: isOver, now) { return outcome }
        guard isOver else {
            if let analysis, isJudged(stop) { wakeAt = min(wakeAt ?? .init(nanoseconds: .max), (lastJudged ?? since) + analysis.interval) }
            return .going(wakeAt: wakeAt)
        }
        if index + 1 < stops.count {
            stage = .scaling(index + 1, since: now)
        } else {
            stage = .warm(until: now + warmth)
        }
        return nil
    }

    /// Judges the stop at hand at intervals and at its end; `nil` to go on.
    private mutating func judge(_ stop: Stop, _ view: ServiceView, isOver: Bool, _ now: Timestamp) -> Outcome? {
        guard let analysis, !isPromoted else { return nil }
        guard isJudged(stop) else { return nil }
        guard case .holding(_, let since) = stage else { return nil }
        guard isOver || now >= (lastJudged ?? since) + analysis.interval else { return nil }
        lastJudged = now
        let judgement = EscaleRelease.judge(analysis, view, new: new, old: old)
        if !analysis.isDryRun, let outcome = outcome(of: judgement, at: stop.weight, analysis, isOver: isOver) {
            return outcome
        }
        if isOver || judgement.verdict != lastVerdict {
            let mode = analysis.isDryRun ? " (dry run)" : ""
            lastText = "\(stop.weight) %\(mode): \(judgement.verdict.rawValue): \(judgement.text)"
        }
        lastVerdict = judgement.verdict
        return nil
    }

    /// Without weight there is only what probes bring.
    private func isJudged(_ stop: Stop) -> Bool { stop.weight > 0 || analysis?.probePath != nil }

    /// What a judgement leads to; `nil` to go on.
    private func outcome(of judgement: Judgement, at weight: Int, _ analysis: Analysis, isOver: Bool) -> Outcome? {
        let text = "analysis at \(weight) %: \(judgement.text)"
        switch judgement.verdict {
        case .successful: return nil
        case .failed: return .failed(text)
        case .error: return isOver ? .undecided("the analysis doesn't work: \(judgement.text)") : nil
        case .inconclusive:
            guard isOver else { return nil }
            switch analysis.inconclusive {
            case .promote: return nil
            case .pause: return .undecided("inconclusive \(text)")
            case .abort: return .failed("inconclusive \(text)")
            }
        }
    }

    private func newFailure(_ view: ServiceView) -> String? {
        view.firstEnd(new, Allocation.slots(upTo: newSlots))
    }

    // MARK: Going back

    /// Turns round: from wherever it is, the old version gets everything back.
    mutating func goBack(now: Timestamp) {
        switch stage {
        case .restoring, .withdrawing, .undone: break
        case .scaling, .holding, .warm, .retiring, .complete: stage = .restoring(since: now)
        }
    }

    /// The old version's capacity first, then the weight: it has as many ready replicas as there shall be, or as the new
    /// one has that take traffic.
    private mutating func restore(
        since: Timestamp, _ allocation: inout Allocation, _ view: ServiceView, _ now: Timestamp
    ) -> Outcome? {
        let slots = Allocation.slots(upTo: oldSlots)
        let there = slots.count { view.isReady(old, $0, for: .zero, now: now) }
        let takes = (allocation.newShare ?? 100) > 0
        let needed = takes ? Allocation.slots(upTo: newSlots).count { view.isReady(new, $0, for: .zero, now: now) } : 0
        if isTolerant || there >= min(needed, oldSlots) { return withdraw(&allocation) }
        if let evidence = view.firstFailure(old, slots) {
            return .failed("the version before doesn't come up: \(evidence)")
        }
        guard now - since < readinessLimit else {
            return .failed("the version before isn't ready within \(readinessLimit.composeText)")
        }
        return .going(wakeAt: since + readinessLimit)
    }

    private mutating func withdraw(_ allocation: inout Allocation) -> Outcome? {
        allocation.newShare = 0
        allocation.remove { $0.generation != old || $0.slot > oldSlots }
        stage = .withdrawing
        return nil
    }

    /// Waits for the old version's whole time again.
    mutating func retryBack(now: Timestamp) {
        guard case .restoring = stage else { return }
        stage = .restoring(since: now)
    }

    // MARK: Commands and words

    /// Ends the stop at hand. `false` where there is none.
    mutating func promote() -> Bool {
        guard case .holding = stage else {
            if case .warm = stage {
                stage = .retiring
                return true
            }
            return false
        }
        isPromoted = true
        return true
    }

    /// Holds the stop at hand for its whole time again, with new figures.
    mutating func repeatStep(now: Timestamp) {
        guard case .holding(let index, _) = stage else { return }
        stage = .holding(index, since: now)
        lastJudged = nil
    }

    /// Whether the new version has everything and passed.
    var isSettled: Bool {
        switch stage {
        // What isn't kept warm is waited for, until it is gone.
        case .warm, .retiring: warmth > .zero
        case .complete: true
        case .scaling, .holding, .restoring, .withdrawing, .undone: false
        }
    }

    var waitsForPromotion: Bool {
        guard case .holding(let index, _) = stage, !isPromoted, case .manual? = stop(index)?.pause else { return false }
        return true
    }

    /// From when on figures count for the judgement at hand.
    var windowStart: Timestamp? {
        guard case .holding(_, let since) = stage else { return nil }
        return since
    }

    var stepText: String {
        switch stage {
        case .scaling(let index, _):
            "replicas for \(stop(index)?.weight ?? 0) %, step \(index + 1) of \(stops.count)"
        case .holding(let index, _):
            "\(stop(index)?.weight ?? 0) %, step \(index + 1) of \(stops.count)"
        case .warm: "100 %, former version kept warm"
        case .retiring: "100 %"
        case .complete: "done"
        case .restoring, .withdrawing: "going back"
        case .undone: "undone"
        }
    }

    var waitsFor: String? {
        switch stage {
        case .scaling: return "the new replicas to be ready"
        case .holding(let index, let since):
            switch stop(index)?.pause {
            case .manual?: return "`escale release promote`"
            case .lasting(let pause)?:
                let end = since + pause
                return analysis == nil ? "the end of the step at \(end.timeOfDay)" : "the analysis until \(end.timeOfDay)"
            case nil: return nil
            }
        case .warm(let until): return "the end of `keep` at \(until.timeOfDay)"
        case .retiring: return "the former replicas to drain and stop"
        case .restoring: return "the former replicas to be ready"
        case .withdrawing: return "the new replicas to drain and stop"
        case .complete, .undone: return nil
        }
    }
}

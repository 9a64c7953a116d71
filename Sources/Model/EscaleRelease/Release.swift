package import EscaleAPI
import EscaleCompose
package import EscaleCore

/// A release of a project as one unit: its services' changes in dependency order, and back in reverse if one fails.
///
/// A value without I/O: it is shown what is (``advance(_:now:)``) and asks for what shall be (each change's
/// ``Change/allocation``). Kept after every step, it goes on where it was, whoever looks at it next.
package struct Release: Codable, Hashable, Sendable {
    package enum State: Codable, Hashable, Sendable {
        /// → every other
        case running
        /// Nothing is begun until somebody decides. → `running`, `rollingBack`, `superseded`
        case paused(Pause)
        /// → `rolledBack`, `failed`, `paused`, `superseded`
        case rollingBack
        // These stay.
        case succeeded
        case rolledBack
        case failed
        case superseded
    }

    package enum Pause: String, Codable, Hashable, Sendable {
        case asked
        /// A failure, with `failure_action: pause`.
        case failure
        /// The analysis could not tell.
        case undecided
        /// The way back failed too.
        case rollbackFailure
    }

    package let number: Int
    /// `up`, or `rollback to 4`.
    package let trigger: String
    package let createdAt: Timestamp
    package private(set) var finishedAt: Timestamp?
    package private(set) var state = State.running
    /// Why it is in that state, in one sentence.
    package private(set) var reason: String?
    package private(set) var changes: [Change]
    package private(set) var decisions: [ReleaseDecision] = []
    /// Whether there is a project before this release that it can go back to.
    private let hasPredecessor: Bool
    /// Whether it goes back to a former release: if it fails it is not undone in turn.
    package let isRollback: Bool

    /// - Parameter changes: in an order in which each comes after those it depends on.
    package init(
        number: Int, trigger: String, changes: [Change], hasPredecessor: Bool, isRollback: Bool = false, now: Timestamp
    ) {
        self.number = number
        self.trigger = trigger
        self.changes = changes
        self.hasPredecessor = hasPredecessor
        self.isRollback = isRollback
        createdAt = now
        let names = changes.map(\.service.rawValue).joined(separator: ", ")
        note("release \(number) begins: \(names.isEmpty ? "no service changes" : names)", now: now)
    }

    package var isTerminal: Bool {
        switch state {
        case .running, .paused, .rollingBack: false
        case .succeeded, .rolledBack, .failed, .superseded: true
        }
    }

    /// Whether there is still something to do: also after success, while a former version is kept warm.
    package var isLive: Bool {
        switch state {
        case .running, .paused, .rollingBack: true
        case .succeeded: changes.contains { $0.work != .complete }
        case .rolledBack, .failed, .superseded: false
        }
    }

    /// Whether it goes neither on nor back until somebody decides.
    package var isPaused: Bool { if case .paused = state { true } else { false } }

    package var waitsForPromotion: Bool { state == .running && changes.contains(where: \.waitsForPromotion) }

    // MARK: Going on

    /// Looks at what is and takes every step whose time has come.
    ///
    /// - Returns: when to look again by itself, if nothing changes before.
    package mutating func advance(_ views: [ServiceName: ServiceView], now: Timestamp) -> Timestamp? {
        switch state {
        case .running, .succeeded: goForward(views, now)
        case .rollingBack: goBack(views, now)
        case .paused, .rolledBack, .failed, .superseded: nil
        }
    }

    private mutating func goForward(_ views: [ServiceName: ServiceView], _ now: Timestamp) -> Timestamp? {
        var wakeAt: Timestamp?
        for index in changes.indices {
            let open = changes.filter { changes[index].after.contains($0.service) && !$0.isSettled }
            guard open.isEmpty else { continue }
            let before = changes[index]
            let outcome = changes[index].advance(views[before.service] ?? ServiceView(), now: now)
            record(from: before, to: changes[index], outcome, now)
            switch outcome {
            case .going(let time): wakeAt = [wakeAt, time].compactMap { $0 }.min()
            case .complete: break
            case .failed(let evidence):
                handleFailure(of: index, evidence, now)
                // Whatever follows is decided anew, with what is then.
                return state == .paused(.failure) ? nil : now
            case .undecided(let why):
                state = .paused(.undecided)
                reason = "\(before.service): \(why)"
                note("paused: \(why)", before.service, now: now)
                return nil
            }
        }
        if state == .running && changes.allSatisfy(\.isSettled) {
            end(.succeeded, now)
            note("release \(number) succeeded", now: now)
        }
        return wakeAt
    }

    private mutating func handleFailure(of index: Int, _ evidence: String, _ now: Timestamp) {
        let change = changes[index]
        let headline = "\(change.service): \(evidence.firstLine)"
        note("failed: \(evidence.firstLine)", change.service, evidence: evidence.afterFirstLine, now: now)
        if case .succeeded = state { return }
        switch change.failureAction {
        case .continue:
            changes[index].tolerate()
            note("goes on all the same (`failure_action: continue`)", change.service, now: now)
        case .rollback where isRollback:
            state = .paused(.failure)
            reason = headline
            note("paused: a rollback is not undone by itself", change.service, now: now)
        case .pause:
            state = .paused(.failure)
            reason = headline
            note("paused (`failure_action: pause`)", change.service, now: now)
        case .rollback:
            beginBack(because: headline, now)
        }
    }

    private mutating func beginBack(because why: String, _ now: Timestamp) {
        reason = why
        guard hasPredecessor else {
            end(.failed, now)
            note("release \(number) failed; there is no version before to go back to", now: now)
            return
        }
        state = .rollingBack
        // What is under way turns round at once; what is complete goes back in its turn.
        for index in changes.indices where changes[index].isUnderWay { changes[index].goBack(now: now) }
        note("goes back to the version before", now: now)
    }

    /// Undoes the changes, those that others depend on last.
    private mutating func goBack(_ views: [ServiceName: ServiceView], _ now: Timestamp) -> Timestamp? {
        var wakeAt: Timestamp?
        for index in changes.indices.reversed() {
            let service = changes[index].service
            let open = changes.contains { $0.after.contains(service) && !$0.isUndone }
            guard !open else { continue }
            let before = changes[index]
            let outcome = changes[index].retreat(views[service] ?? ServiceView(), now: now)
            record(from: before, to: changes[index], outcome, now)
            switch outcome {
            case .going(let time): wakeAt = [wakeAt, time].compactMap { $0 }.min()
            case .complete: break
            case .failed(let evidence), .undecided(let evidence):
                note("the way back failed: \(evidence.firstLine)", service, evidence: evidence.afterFirstLine, now: now)
                guard changes[index].rollbackAction == .continue else {
                    state = .paused(.rollbackFailure)
                    reason = "\(reason ?? "it failed"); the way back failed too: \(service): \(evidence.firstLine)"
                    return nil
                }
                changes[index].tolerate()
                return now
            }
        }
        if changes.allSatisfy(\.isUndone) {
            end(.rolledBack, now)
            note("release \(number) was undone", now: now)
        }
        return wakeAt
    }

    private mutating func end(_ state: State, _ now: Timestamp) {
        self.state = state
        finishedAt = now
    }

    // MARK: Commands

    package mutating func promote(now: Timestamp) throws(EscaleError) {
        switch state {
        case .running, .succeeded:
            var found = false
            for index in changes.indices where changes[index].promote() {
                found = true
                note("promoted", changes[index].service, now: now)
            }
            if !found { throw .nothingToPromote(number) }
        case .paused(.failure), .paused(.undecided), .paused(.asked):
            let wasUndecided = state == .paused(.undecided)
            try resume(now: now)
            if wasUndecided { for index in changes.indices { _ = changes[index].promote() } }
        case .paused(.rollbackFailure), .rollingBack, .rolledBack, .failed, .superseded:
            throw .releaseOver(number, "promoted")
        }
    }

    package mutating func pause(now: Timestamp) throws(EscaleError) {
        guard state == .running else { throw .releaseOver(number, "paused") }
        state = .paused(.asked)
        reason = "paused by hand"
        note("paused by hand", now: now)
    }

    package mutating func resume(now: Timestamp) throws(EscaleError) {
        guard case .paused(let pause) = state else { throw .releaseOver(number, "resumed") }
        switch pause {
        case .asked:
            state = .running
            for index in changes.indices { changes[index].watchAgain(now: now) }
        case .undecided:
            state = .running
            for index in changes.indices { changes[index].repeatStep(now: now) }
        case .failure:
            state = .running
            for index in changes.indices { changes[index].tolerate() }
        case .rollbackFailure:
            state = .rollingBack
            for index in changes.indices { changes[index].retryBack(now: now) }
        }
        reason = state == .rollingBack ? reason : nil
        note("resumed", now: now)
    }

    /// - Parameter why: for the record.
    package mutating func abort(because why: String = "aborted by hand", now: Timestamp) throws(EscaleError) {
        switch state {
        case .running, .paused(.asked), .paused(.failure), .paused(.undecided):
            note(why, now: now)
            beginBack(because: why, now)
        case .rollingBack, .paused(.rollbackFailure), .succeeded, .rolledBack, .failed, .superseded:
            throw .releaseOver(number, "aborted")
        }
    }

    /// A newer release takes over from wherever this one is.
    package mutating func supersede(by newer: Int, now: Timestamp) {
        guard !isTerminal else { return }
        end(.superseded, now)
        reason = "superseded by release \(newer)"
        note("superseded by release \(newer)", now: now)
    }

    // MARK: The record

    /// As the API names it.
    package var publicState: ReleaseSummary.State {
        switch state {
        case .running: waitsForPromotion ? .paused : .running
        case .paused: .paused
        case .rollingBack: .rollingBack
        case .succeeded: .succeeded
        case .rolledBack: .rolledBack
        case .failed: .failed
        case .superseded: .superseded
        }
    }

    private mutating func record(from before: Change, to after: Change, _ outcome: Outcome, _ now: Timestamp) {
        if case .failed = outcome {} else {
            for (slot, evidence) in after.failures.sorted(by: { $0.key < $1.key }) where before.failures[slot] == nil {
                let text = "replica \(slot) failed (tolerated): \(evidence.firstLine)"
                note(text, after.service, evidence: evidence.afterFirstLine, now: now)
            }
        }
        if let judgement = after.judgement, judgement != before.judgement {
            note("analysis at \(judgement)", after.service, now: now)
        }
        guard before.stepText != after.stepText || before.allocation.newShare != after.allocation.newShare else { return }
        let share = after.allocation.newShare.map { ", new version gets \($0) %" } ?? ""
        note(after.stepText + (before.allocation.newShare == after.allocation.newShare ? "" : share), after.service, now: now)
    }

    /// More than any release has, unless somebody pauses and resumes it all day.
    private static let mostDecisions = 1000

    private mutating func note(_ text: String, _ service: ServiceName? = nil, evidence: String? = nil, now: Timestamp) {
        if decisions.count >= Self.mostDecisions { decisions.remove(at: 1) }
        decisions.append(ReleaseDecision(at: now, service: service, text: text, evidence: evidence))
    }
}

extension String {
    var firstLine: String { String(prefix { !$0.isNewline }) }
    var afterFirstLine: String? {
        let rest = drop { !$0.isNewline }.drop { $0.isNewline }
        return rest.isEmpty ? nil : String(rest)
    }
}

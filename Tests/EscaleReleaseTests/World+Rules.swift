import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease
import EscaleTestSupport

/// What must be true of every step of a release, said in the plainest way.
extension World {
    /// Between one look and the next.
    func checkStep(from before: Release) throws {
        try checkState(from: before, to: release)
        guard before.isTerminal && !before.isLive || release.changes.count == before.changes.count else {
            throw Broken(description: "another number of changes")
        }
        if before.isTerminal && !before.isLive && before != release {
            throw Broken(description: "\(before.state) doesn't stay")
        }
        switch release.state {
        case .running where !beginsTogether: try checkOrder()
        case .rollingBack, .rolledBack: if before.state == .rollingBack { try checkReverseOrder(from: before) }
        case .running, .paused, .succeeded, .failed, .superseded: break
        }
    }

    func checkCommand(from before: Release) throws {
        try checkState(from: before, to: release)
        guard !before.isTerminal || before.isLive else { throw Broken(description: "\(before.state) took a command") }
    }

    private func checkState(from before: Release, to after: Release) throws {
        let isAllowed =
            switch (before.state, after.state) {
            case (.running, _): true
            case (.paused(.rollbackFailure), .rollingBack), (.paused(.rollbackFailure), .superseded): true
            case (.paused(.rollbackFailure), _): before.state == after.state
            case (.paused, .running), (.paused, .rollingBack), (.paused, .superseded), (.paused, .failed): true
            case (.rollingBack, .rollingBack), (.rollingBack, .rolledBack), (.rollingBack, .superseded),
                (.rollingBack, .paused(.rollbackFailure)): true
            case (.paused, _), (.rollingBack, _), (.succeeded, _), (.rolledBack, _), (.failed, _), (.superseded, _):
                before.state == after.state
            }
        guard isAllowed else { throw Broken(description: "from \(before.state) to \(after.state)") }
    }

    /// What is begun, has everything that comes first settled.
    private func checkOrder() throws {
        for change in release.changes where change.work != .waiting {
            let open = release.changes.filter { change.after.contains($0.service) && !$0.isSettled }
            guard open.isEmpty else {
                throw Broken(description: "\(change.service) began before \(open.map(\.service)) was settled")
            }
        }
    }

    /// What others depend on, is undone after them.
    private func checkReverseOrder(from before: Release) throws {
        for (old, new) in zip(before.changes, release.changes) where old.allocation != new.allocation {
            let open = release.changes.filter { $0.after.contains(new.service) && !$0.isUndone }
            guard open.isEmpty else {
                throw Broken(description: "\(new.service) goes back before \(open.map(\.service)) is undone")
            }
        }
    }

    /// At any moment.
    func checkCapacity() throws {
        for change in release.changes {
            try sites[change.service]?.check(change, hasFreshStart: hasFreshStart)
        }
    }

    /// What is asked for when nothing is left to do.
    func checkEnd() throws {
        for change in release.changes {
            let asked = change.allocation
            func all(_ generation: Int, _ slots: Int) -> Set<Instance> {
                Set((1...5).filter { $0 <= slots }.map { Instance(generation: generation, slot: $0) })
            }
            let right: Bool
            switch release.state {
            case .succeeded: right = asked.instances == all(change.new, change.newSlots)
            case .rolledBack:
                let old = change.old.map { all($0, change.oldSlots) } ?? []
                right = asked.instances == old || change.kind == .oneShot && asked.instances.isSubset(of: old)
            case .failed, .superseded, .running, .paused, .rollingBack: right = true
            }
            guard right, release.state == .failed || asked.newShare == nil else {
                throw Broken(description: "\(change.service) ended \(release.state) with \(asked)")
            }
        }
        guard !release.isTerminal || release.finishedAt != nil else { throw Broken(description: "no end is noted") }
    }
}

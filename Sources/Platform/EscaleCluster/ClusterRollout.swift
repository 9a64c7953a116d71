import EscaleAPI
import EscaleCore
package import EscaleKubernetes
package import EscaleRelease
import EscaleSystem
import EscaleYAML

/// Brings a project's objects into the cluster: a release of what changes, and everything else at once.
///
/// The release's state is in the cluster (``ReleaseLedger``), and whoever looks at it goes on with it: a second one does no harm, and
/// one that is killed leaves a state from which the next goes on.
package struct ClusterRollout: Sendable {
    package typealias Report = ReleaseGround.Report

    package let project: ClusterProject
    /// How many releases are kept.
    package let kept: Int
    package let waits: Bool
    /// How long nothing may come of it while something isn't ready.
    package let timeout: Duration
    private let ledger: ReleaseLedger

    package init(_ project: ClusterProject, keeping kept: Int, waits: Bool = true, timeout: Duration = .seconds(600)) {
        self.project = project
        self.kept = kept
        self.waits = waits
        self.timeout = timeout
        ledger = ReleaseLedger(project)
    }

    package struct Outcome: Sendable {
        package var changes = 0
        package var release: Int?
        /// The release where it waits for somebody, or goes on without being waited for.
        package var open: Release?
    }

    /// Makes the cluster what the objects say.
    ///
    /// - Parameters:
    ///   - trigger: `up`, or `rollback to 4`.
    ///   - others: objects of the project that stay although they are not among these.
    /// - Throws: `cluster.foreign` before anything is changed; `cluster.rollout` with evidence, after going back where that is wanted.
    package func run(
        _ objects: [KubernetesObject], trigger: String = "apply", isRollback: Bool = false, keeping others: [KubernetesObject] = [],
        report: @escaping Report
    ) async throws -> Outcome {
        let placed = try await project.placed(objects)
        var live = try await project.live(placed)
        var outcome = Outcome()
        var records = try await ledger.records()
        var warm: ReleaseLedger.Record?
        if let open = records.last(where: \.isOpen) {
            if open.isSame(as: objects, in: project) {
                try await applyShared(placed, live, except: shifting(open), &outcome, report)
                return try await finish(open, records, objects, keeping: others, outcome, report)
            }
            warm = try await makeRoom(for: objects, open, records, report)
            records = try await ledger.records()
            live = try await project.live(placed)
        }
        let base = warm ?? records.last(where: \.isGood)
        let number = nextNumber(after: records)
        let planner = ReleasePlanner(project, live: live, base: base, warm: warm)
        guard let progress = try await planner.plan(placed, number: number, trigger: trigger, isRollback: isRollback) else {
            try await applyShared(placed, live, except: [], &outcome, report)
            try await applyWorkloads(placed, live, besides: [], &outcome, report)
            try await removeLeftovers(besides: placed.map(\.object) + others, &outcome, report)
            if waits { try await waitUntilReady(placed.filter { $0.object.plan != nil }, report) }
            if outcome.changes > 0 || records.last?.isGood != true {
                outcome.release = number
                try await ledger.save(try ledger.draft(number, objects, state: ReleaseLedger.Record.succeeded))
                try await ledger.prune(keeping: kept)
            }
            return outcome
        }
        try await applyShared(placed, live, except: Set(progress.parts.filter { $0.value.places != nil }.map(\.key)), &outcome, report)
        let record = try await ledger.save(try ledger.draft(number, objects, state: "running", progress))
        if var warm {
            // Its two versions are this one's by now.
            warm.state = ReleaseLedger.Record.succeeded
            try await ledger.save(warm)
        }
        try await applyWorkloads(placed, live, besides: Set(progress.parts.values.map(\.workload)), &outcome, report)
        return try await finish(record, records, objects, keeping: others, outcome, report)
    }

    private func nextNumber(after records: [ReleaseLedger.Record]) -> Int { (records.last?.number ?? 0) + 1 }

    private func shifting(_ record: ReleaseLedger.Record) -> Set<ServiceName> {
        Set((record.progress?.parts ?? [:]).filter { $0.value.places != nil }.map(\.key))
    }

    // MARK: A release that is there already

    /// Ends a release that is under way, so that another one may begin.
    ///
    /// - Returns: the release whose former version is still there and is what is wanted now: nothing has to start.
    private func makeRoom(
        for objects: [KubernetesObject], _ open: ReleaseLedger.Record, _ records: [ReleaseLedger.Record], _ report: @escaping Report
    ) async throws -> ReleaseLedger.Record? {
        guard var progress = open.progress else { return nil }
        var record = open
        let subject = "Release \(open.number)"
        guard !shifting(open).isEmpty else {
            // Workloads that exchange their pods themselves go on to the next version from wherever they are.
            progress.release.supersede(by: nextNumber(after: records), now: .now)
            record.progress = progress
            record.state = ReleaseLedger.Record.superseded
            try await ledger.save(record)
            report(ProgressEvent(subject, .warning, "Superseded", at: .now))
            return nil
        }
        if case .succeeded = progress.release.state {
            if progress.release.isLive, let base = records.first(where: { $0.number == progress.base }), base.isSame(as: objects, in: project) { return open }
            if progress.release.isLive { try progress.release.promote(now: .now) }
        } else if progress.release.state == .paused(.rollbackFailure) {
            try progress.release.resume(now: .now)
        } else if !progress.release.isTerminal, progress.release.state != .rollingBack {
            report(ProgressEvent(subject, .warning, "Undone", reason: "another release is to begin", at: .now))
            try progress.release.abort(because: "another release is to begin", now: .now)
        }
        record.progress = progress
        record = try await ledger.save(record)
        let end = try await drive(record, records, report)
        guard !end.isOpen else {
            throw EscaleError(
                .init("cluster.release"), "release \(open.number) is under way and can't be undone: \(end.progress?.release.reason ?? end.state)",
                hint: "see `escale kube show`")
        }
        return nil
    }

    /// Goes on with the last release that is under way, after a command to it.
    ///
    /// - Parameter tell: the command; it throws where the release is in no state for it.
    package func carryOn(
        _ tell: @Sendable (inout Release) throws -> Void, keeping others: [KubernetesObject], report: @escaping Report
    ) async throws -> Outcome {
        while true {
            let records = try await ledger.records()
            guard var open = records.last(where: \.isOpen), var progress = open.progress else {
                throw EscaleError(.init("cluster.release"), "no release of \(project.name) is under way", hint: "see `escale kube status`")
            }
            try tell(&progress.release)
            open.progress = progress
            open.state = state(of: progress.release)
            do {
                open = try await ledger.save(open)
            } catch let error as EscaleError where error.code == .clusterConflict {
                continue
            }
            guard waits else { return Outcome(release: open.number, open: progress.release) }
            return try await finish(open, records, open.objects, keeping: others, Outcome(), report)
        }
    }

    // MARK: To its end

    /// Drives the release as far as it goes by itself, and does what follows from its end.
    private func finish(
        _ record: ReleaseLedger.Record, _ records: [ReleaseLedger.Record], _ objects: [KubernetesObject], keeping others: [KubernetesObject],
        _ begun: Outcome, _ report: @escaping Report
    ) async throws -> Outcome {
        var outcome = begun
        outcome.release = record.number
        let end = try await drive(record, records, report) { outcome.changes += $0 }
        guard let release = end.progress?.release else { return outcome }
        switch end.state {
        case ReleaseLedger.Record.succeeded:
            // What is there by now may be another release's.
            guard try await ledger.records().last?.number == end.number else { return outcome }
            try await removeLeftovers(besides: objects + others, &outcome, report)
            if waits { try await waitUntilReady(try await project.placed(objects.filter { $0.plan != nil }), report) }
            try await ledger.prune(keeping: kept)
            return outcome
        case ReleaseLedger.Record.rolledBack:
            var text = "release \(end.number) was undone"
            if let base = records.first(where: { $0.number == end.progress?.base }) {
                let former = try await project.placed(base.objects)
                let live = try await project.live(former)
                var back = Outcome()
                try await applyShared(former, live, except: [], &back, report)
                try await applyWorkloads(former, live, besides: [], &back, report)
                // Secrets are in no record: those that are there go on as they are.
                try await removeLeftovers(besides: base.objects + others + objects.filter { $0.kind == "Secret" }, &back, report)
                text += "; release \(base.number) is back"
            }
            throw Self.error(.clusterUndone, "\(Self.reason(release)); \(text)", release)
        case ReleaseLedger.Record.failed: throw Self.error(.init("cluster.rollout"), Self.reason(release), release)
        default:
            if !waits || end.state == ReleaseLedger.Record.superseded || release.waitsForPromotion || release.state == .paused(.asked) || !release.isPaused {
                outcome.open = release
                return outcome
            }
            throw Self.error(.init("cluster.rollout"), "release \(end.number) is paused: \(Self.reason(release))", release)
        }
    }

    private static func reason(_ release: Release) -> String { release.reason ?? "release \(release.number) failed" }

    private static func error(_ code: EscaleError.Code, _ message: String, _ release: Release) -> EscaleError {
        let evidence = release.decisions.last { $0.evidence != nil }?.evidence
        return EscaleError(
            code, message, hint: "see `escale kube show` and `escale kube status`",
            details: evidence.map { [.init("what there is to see", $0)] } ?? [])
    }

    /// Lets the release go on until it has ended, waits for somebody, or nobody waits for it.
    ///
    /// - Returns: how it is then.
    private func drive(
        _ record: ReleaseLedger.Record, _ records: [ReleaseLedger.Record], _ report: @escaping Report, count: (Int) -> Void = { _ in }
    ) async throws -> ReleaseLedger.Record {
        guard let progress = record.progress else { return record }
        let base = records.first { $0.number == progress.base }?.objects ?? []
        let ground = ReleaseGround(project, progress, objects: record.objects, base: base, report: report)
        var current = record
        var told = progress.release.state == .running && progress.release.decisions.count == 1 ? 0 : progress.release.decisions.count
        var deadline = ContinuousClock.now + timeout
        while true {
            guard let now = try await ledger.record(record.number) else {
                throw EscaleError(.init("cluster.release"), "release \(record.number) is no longer kept", hint: "somebody removed it, or the whole project")
            }
            current = now
            guard current.isOpen, var next = current.progress else { break }
            tell(next, since: &told, report)
            let isBack = next.release.state == .rollingBack
            for change in next.release.changes { try await ground.make(change, isBack: isBack) }
            if !next.release.isLive {
                guard try await settle(next.release, ground) else {
                    try await Task.sleep(for: .milliseconds(500))
                    continue
                }
                current.state = state(of: next.release)
                current = try await ledger.save(current)
                break
            }
            guard !next.release.isPaused, !next.release.waitsForPromotion else { break }
            guard waits || next.release.state != .running || next.release.changes.contains(where: { $0.work == .waiting }) else { break }
            var views: [ServiceName: ServiceView] = [:]
            for change in next.release.changes { views[change.service] = try await ground.view(of: change, next.release) }
            let before = next.release
            _ = next.release.advance(views, now: .now)
            if next.release == before, ContinuousClock.now >= deadline, before.state == .running, !before.changes.contains(where: { $0.windowStart != nil }) {
                let waiting = before.changes.first { !$0.isSettled }
                let what = waiting.map { "\($0.service): not ready within \(timeout.composeText)" } ?? "not ready within \(timeout.composeText)"
                try next.release.abort(because: what, now: .now)
            }
            guard next.release == before else {
                deadline = .now + timeout
                current.progress = next
                if !next.release.isTerminal { current.state = state(of: next.release) }
                do {
                    _ = try await ledger.save(current)
                } catch let error as EscaleError where error.code == .clusterConflict {}  // somebody else was first: look again
                continue
            }
            try await Task.sleep(for: .milliseconds(500))
        }
        count(await ground.changes)
        return current
    }

    private func settle(_ release: Release, _ ground: ReleaseGround) async throws -> Bool {
        guard release.state == .succeeded || release.state == .rolledBack else { return true }
        for change in release.changes where try await !ground.settle(change, release) { return false }
        return true
    }

    private func state(of release: Release) -> String {
        switch release.state {
        case .succeeded: release.isLive ? "running" : ReleaseLedger.Record.succeeded
        case .rolledBack: ReleaseLedger.Record.rolledBack
        case .failed: ReleaseLedger.Record.failed
        case .superseded: ReleaseLedger.Record.superseded
        case .running, .paused, .rollingBack: release.publicState.rawValue
        }
    }

    /// What was decided of services whose traffic is shifted, and of the whole.
    private func tell(_ progress: ReleaseProgress, since told: inout Int, _ report: Report) {
        let release = progress.release
        defer { told = release.decisions.count }
        for decision in release.decisions.dropFirst(told) {
            if let service = decision.service, progress.part(service)?.places == nil { continue }
            let state: ProgressEvent.State =
                switch release.state {
                case .succeeded: .done
                case .rolledBack, .failed: .failed
                case .running, .paused, .rollingBack, .superseded: .working
                }
            report(ProgressEvent("Release \(release.number)", state, decision.service.map { "\($0): \(decision.text)" } ?? decision.text, at: .now))
        }
    }

    // MARK: What no release is made of

    /// What everybody needs.
    ///
    /// - Parameter shifting: services whose traffic is the release's business.
    private func applyShared(
        _ placed: [ClusterProject.Placed], _ live: [String: YAMLValue], except shifting: Set<ServiceName>, _ outcome: inout Outcome, _ report: Report
    ) async throws {
        let names = Set(placed.compactMap { item in item.object.plan.flatMap { shifting.contains($0.service) ? item.object.service : nil } })
        for item in placed where !item.object.isWorkload {
            if ["Service", "HTTPRoute"].contains(item.object.kind), let service = item.object.service, names.contains(service) {
                // It has to be there before the pods, and leads to what is there.
                if live["\(item.object)"] != nil { continue }
            }
            try await apply(item, over: live, &outcome, report)
        }
    }

    /// Workloads of which no new version is released.
    private func applyWorkloads(
        _ placed: [ClusterProject.Placed], _ live: [String: YAMLValue], besides released: Set<String>, _ outcome: inout Outcome, _ report: Report
    ) async throws {
        for item in placed where item.object.isWorkload && !released.contains("\(item.object)") { try await apply(item, over: live, &outcome, report) }
    }

    private func removeLeftovers(besides objects: [KubernetesObject], _ outcome: inout Outcome, _ report: Report) async throws {
        for item in try await project.leftovers(besides: objects) {
            try await project.remove(item)
            outcome.changes += 1
            report(ProgressEvent(Self.subject(item), .done, "Removed", at: .now))
        }
    }

    private static func subject(_ item: ClusterProject.Placed) -> String { "\(item.object.kind) \(item.object.name)" }

    private func apply(
        _ item: ClusterProject.Placed, over live: [String: YAMLValue], _ outcome: inout Outcome, _ report: Report
    ) async throws {
        switch try await project.apply(item, over: live["\(item.object)"]) {
        case .unchanged: break
        case .created:
            outcome.changes += 1
            report(ProgressEvent(Self.subject(item), .done, "Created", at: .now))
        case .configured:
            outcome.changes += 1
            report(ProgressEvent(Self.subject(item), .done, "Configured", at: .now))
        }
    }

    /// Waits for workloads as they are.
    private func waitUntilReady(_ workloads: [ClusterProject.Placed], _ report: Report) async throws {
        let deadline = ContinuousClock.now + timeout
        var waiting = workloads
        var told: [String: String] = [:]
        while !waiting.isEmpty {
            var left: [ClusterProject.Placed] = []
            for item in waiting {
                let standing = try await project.standing(of: item)
                switch standing.phase {
                case .ready:
                    if told[Self.subject(item)] != nil { report(ProgressEvent(Self.subject(item), .done, "Ready", at: .now)) }
                    continue
                case .failed(let why): throw try await notReady(item, why)
                case .progressing:
                    left.append(item)
                    if told[Self.subject(item)] != standing.text {
                        report(ProgressEvent(Self.subject(item), .working, "Waiting", reason: standing.text, at: .now))
                    }
                    told[Self.subject(item)] = standing.text
                }
            }
            waiting = left
            guard let first = waiting.first else { return }
            if ContinuousClock.now >= deadline {
                throw try await notReady(first, "it was not ready within \(timeout.composeText): \(told[Self.subject(first)] ?? "")")
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func notReady(_ item: ClusterProject.Placed, _ why: String) async throws -> EscaleError {
        let evidence = try await project.evidence(of: item)
        return EscaleError(
            .init("cluster.rollout"), "\(item.object) did not get ready: \(why)", hint: "see `escale kube status`",
            details: evidence.isEmpty ? [] : [.init("what there is to see", evidence)])
    }
}

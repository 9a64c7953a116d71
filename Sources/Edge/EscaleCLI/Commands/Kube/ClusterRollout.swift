import EscaleAPI
import EscaleCluster
import EscaleCore
import EscaleKubernetes
import EscaleSystem
import EscaleYAML

/// Brings a project's objects into the cluster, in order, and waits until its workloads are ready.
struct ClusterRollout: Sendable {
    typealias Report = @Sendable (ProgressEvent) -> Void

    let project: ClusterProject
    /// How many releases are kept.
    let kept: Int
    let waits: Bool
    let timeout: Duration

    struct Outcome {
        var changes = 0
        var release: Int?
    }

    /// - Throws: `cluster.rollout` with evidence, after going back where that is wanted.
    ///
    /// - Parameter others: objects of the project that stay although they are not among these.
    func run(_ objects: [KubernetesObject], keeping others: [KubernetesObject] = [], report: @escaping Report) async throws -> Outcome {
        let placed = try await project.placed(objects)
        let ledger = ReleaseLedger(project)
        let before = try await ledger.records()
        var outcome = Outcome()
        do {
            try await apply(placed, keeping: others, &outcome, report)
        } catch let failure as RolloutFailure {
            try await recordRelease("failed", objects, before, ledger, &outcome)
            guard failure.goesBack, let former = before.last(where: { $0.state == "succeeded" }) else { throw failure.error }
            report(ProgressEvent("Release", .warning, "Rolling back", reason: "to release \(former.number)", at: .now))
            var back = Outcome()
            // Secrets are in no record: those that are there go on as they are.
            let secrets = objects.filter { $0.kind == "Secret" } + others
            do {
                try await apply(try await project.placed(former.objects), keeping: secrets, &back, report)
            } catch let second as RolloutFailure {
                throw EscaleError(
                    failure.error.code, "\(failure.error.message); on the way back, \(second.error.message)", hint: second.error.hint,
                    details: failure.error.details + second.error.details)
            }
            throw EscaleError(
                failure.error.code, "\(failure.error.message); release \(former.number) is back", hint: failure.error.hint, details: failure.error.details)
        }
        if outcome.changes > 0 || before.isEmpty { try await recordRelease("succeeded", objects, before, ledger, &outcome) }
        return outcome
    }

    private func recordRelease(
        _ state: String, _ objects: [KubernetesObject], _ before: [ReleaseLedger.Record], _ ledger: ReleaseLedger, _ outcome: inout Outcome
    ) async throws {
        let number = (before.last?.number ?? 0) + 1
        try await ledger.record(number, objects, state: state, keeping: kept)
        outcome.release = number
    }

    private struct RolloutFailure: Error {
        let error: EscaleError
        let goesBack: Bool
    }

    /// What everybody needs, then the workloads wave by wave, then what is no longer wanted.
    private func apply(
        _ placed: [ClusterProject.Placed], keeping others: [KubernetesObject], _ outcome: inout Outcome, _ report: Report
    ) async throws {
        let live = try await project.live(placed)
        for item in placed where !item.object.isWorkload { try await apply(item, over: live, &outcome, report) }
        let workloads = placed.filter(\.object.isWorkload)
        for wave in Set(workloads.map(\.object.wave)).sorted() {
            let present = workloads.filter { $0.object.wave == wave }
            for item in present { try await apply(item, over: live, &outcome, report) }
            let isLast = !workloads.contains { $0.object.wave > wave }
            // What later waves need is waited for in any case.
            if waits || !isLast { try await wait(for: isLast ? workloads : present.filter { $0.object.kind == "Job" }, report) }
        }
        for item in try await project.leftovers(besides: placed.map(\.object) + others) {
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

    private func wait(for workloads: [ClusterProject.Placed], _ report: Report) async throws {
        let deadline = ContinuousClock.now + timeout
        var waiting = workloads
        var told: [String: String] = [:]
        while !waiting.isEmpty {
            var left: [ClusterProject.Placed] = []
            for item in waiting {
                let standing = try await project.standing(of: item)
                switch standing.phase {
                case .ready:
                    if told[Self.subject(item)] != nil {
                        report(ProgressEvent(Self.subject(item), .done, item.object.kind == "Job" ? "Completed" : "Ready", at: .now))
                    }
                    continue
                case .failed(let why): throw try await failure(item, why)
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
                throw try await failure(first, "it was not ready within \(timeout.composeText): \(told[Self.subject(first)] ?? "")")
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func failure(_ item: ClusterProject.Placed, _ why: String) async throws -> RolloutFailure {
        let evidence = try await project.evidence(of: item)
        return RolloutFailure(
            error: EscaleError(
                .init("cluster.rollout"), "\(item.object) did not get ready: \(why)", hint: "see `escale kube status`",
                details: evidence.isEmpty ? [] : [.init("what there is to see", evidence)]),
            goesBack: item.object.rollsBack)
    }
}

import EscaleCompose
import EscaleCore
import EscaleKubernetes
import EscaleRelease
import EscaleSystem
import EscaleYAML

/// Finds out what a release is made of: the workloads of which there is a new version, each with the way it takes.
struct ReleasePlanner {
    private let project: ClusterProject
    private let live: [String: YAMLValue]
    private let base: ReleaseLedger.Record?
    /// A release whose former version is still there, and is what is wanted again.
    private let warm: ReleaseLedger.Record?

    /// - Parameter live: what is there, by the objects' descriptions.
    init(_ project: ClusterProject, live: [String: YAMLValue], base: ReleaseLedger.Record?, warm: ReleaseLedger.Record?) {
        self.project = project
        self.live = live
        self.base = base
        self.warm = warm
    }

    /// The release that makes of what is there what is wanted; `nil` where no workload has a new version.
    func plan(_ placed: [ClusterProject.Placed], number: Int, trigger: String, isRollback: Bool) async throws -> ReleaseProgress? {
        let workloads = placed.filter { $0.object.plan != nil }
        let isFresh = !workloads.contains { live["\($0.object)"] != nil }
        var changed: [(item: ClusterProject.Placed, plan: WorkloadPlan)] = []
        for item in workloads {
            guard let plan = item.object.plan, try await hasNewVersion(item) else { continue }
            changed.append((item, plan))
        }
        guard !changed.isEmpty else { return nil }
        let now = Timestamp.now
        var parts: [ServiceName: ReleaseProgress.Part] = [:]
        let names = Set(changed.map(\.plan.service))
        var changes: [Change] = []
        for (item, plan) in Self.ordered(changed) {
            let comesAfter = (isFresh ? plan.awaited : plan.after).intersection(names)
            let (part, change) = change(item, plan, after: comesAfter, number: number, beginsAt: isFresh && comesAfter.isEmpty ? now : nil)
            parts[plan.service] = part
            changes.append(change)
        }
        let release = Release(
            number: number, trigger: trigger, changes: changes, hasPredecessor: !isFresh, isRollback: isRollback, now: now)
        return ReleaseProgress(release: release, base: base?.number, parts: parts)
    }

    /// Whether its pods would be others than those that are there. A Job that isn't over is released too.
    private func hasNewVersion(_ item: ClusterProject.Placed) async throws -> Bool {
        if places(of: item) != nil { return true }
        guard let live = live["\(item.object)"] else { return true }
        if item.object.kind == "Job" { return ClusterProject.standing(of: live).phase != .ready }
        let then = try await project.dryApply(item)
        return live.value(at: "spec", "template")?.sorted != then.value(at: "spec", "template")?.sorted
    }

    /// The places of a service that the warm release exchanged, the other way round.
    private func places(of item: ClusterProject.Placed) -> ReleaseProgress.Places? {
        guard let plan = item.object.plan, let places = warm?.progress?.part(plan.service)?.places else { return nil }
        return ReleaseProgress.Places(old: places.new, new: places.old)
    }

    private func change(
        _ item: ClusterProject.Placed, _ plan: WorkloadPlan, after: Set<ServiceName>, number: Int, beginsAt: Timestamp?
    ) -> (ReleaseProgress.Part, Change) {
        let name = "\(item.object)"
        let old = base?.number ?? 0
        let replicas = Int(live[name]?.value(at: "spec", "replicas")?.intValue ?? 0)
        let counts = item.object.content.first { $0.key == "spec" }?.value["replicas"] != nil
        let wanted = counts ? plan.replicas : replicas
        // Where nobody serves, or shall, there is no traffic to shift.
        guard plan.shiftsTraffic, item.object.kind == "Deployment", replicas > 0, wanted > 0 else {
            let isThere = live[name] != nil && item.object.kind != "Job"
            let kind: Change.Kind = item.object.kind == "Job" ? .oneShot : isThere ? .rolling : .added
            let change = Change(
                plan.service, plan.terms.ofWorkload, kind: kind, after: after, old: isThere ? old : nil, oldSlots: isThere ? 1 : 0, new: number,
                newSlots: 1, standing: isThere ? [Instance(generation: old, slot: 1)] : [], ready: isThere ? [Instance(generation: old, slot: 1)] : [],
                isChecked: true, beginsAt: kind == .oneShot ? nil : beginsAt)
            return (.init(workload: name, places: nil), change)
        }
        let warmPlaces = places(of: item)
        let oldReplicas = warmPlaces == nil ? replicas : wanted
        var instances = Set((1...oldReplicas).map { Instance(generation: old, slot: $0) })
        if warmPlaces != nil { instances.formUnion((1...wanted).map { Instance(generation: number, slot: $0) }) }
        let change = Change(
            plan.service, plan.terms, kind: plan.terms.settings.strategy == .canary ? .canary : .blueGreen, after: after, old: old,
            oldSlots: oldReplicas, new: number, newSlots: wanted, standing: instances, ready: instances, isChecked: true)
        let second = ReleaseProgress.Places(old: item.object.name, new: "\(item.object.name.prefix(54))-next")
        return (.init(workload: name, places: warmPlaces ?? second), change)
    }

    /// Each after those that it depends on.
    private static func ordered(
        _ changed: [(item: ClusterProject.Placed, plan: WorkloadPlan)]
    ) -> [(item: ClusterProject.Placed, plan: WorkloadPlan)] {
        var open = changed
        var done: [(item: ClusterProject.Placed, plan: WorkloadPlan)] = []
        while !open.isEmpty {
            let names = Set(open.map(\.plan.service))
            // A circle can't be: the file would have been refused.
            let index = open.firstIndex { $0.plan.after.isDisjoint(with: names.subtracting([$0.plan.service])) } ?? 0
            done.append(open.remove(at: index))
        }
        return done
    }
}

extension ReleaseTerms {
    /// For a workload that exchanges its pods itself, so that it is one replica to the release: the manifest has the rest.
    var ofWorkload: ReleaseTerms {
        var terms = self
        for path in [\ReleaseTerms.update, \.rollback] {
            terms[keyPath: path].parallelism = 1
            terms[keyPath: path].delay = .zero
            terms[keyPath: path].monitor = .zero
            terms[keyPath: path].maxFailureRatio = 0
            terms[keyPath: path].order = .startFirst
        }
        terms.settings.minHealthy = nil
        terms.settings.strategy = .rolling
        terms.isExclusive = false
        return terms
    }
}

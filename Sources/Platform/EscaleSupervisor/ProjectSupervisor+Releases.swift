import EscaleAPI
import EscaleCompose
import EscaleCore
import EscalePlan
import EscaleRelease
import EscaleSystem

/// Releases: what a new version of the project changes, how far it is, and the way back.
extension ProjectSupervisor {
    // MARK: What shall be right now

    /// What is desired, with what the release under way allows of it.
    var effective: DesiredProject? {
        guard let record else { return nil }
        guard record.desired.goal == .up, let release = release?.release, release.number == record.release,
            release.isLive || isLeftHalfway
        else { return record.desired }
        var desired = record.desired
        for change in release.changes {
            guard let index = desired.services.firstIndex(where: { $0.name == change.service }) else { continue }
            desired.services[index] = allocated(desired.services[index], change)
        }
        // What is no longer in the file goes when its successor has proved itself.
        if let own = kept[release.number], own.isProtected, release.state != .succeeded,
            release.isLive || own.desired.requestedAt == record.desired.requestedAt
        {
            desired.removeOrphans = false
        }
        return desired
    }

    /// Whether the last release failed with nothing to go back to, and was left as it was.
    var isLeftHalfway: Bool {
        guard let release else { return false }
        return release.isProtected && release.release.state == .failed
    }

    private func allocated(_ service: DesiredService, _ change: Change) -> DesiredService {
        var service = service
        service.slots = change.allocation.slots(of: service.generation)
        let others = Set(change.allocation.instances.map(\.generation)).subtracting([service.generation])
        service.others = others.sorted().compactMap { generation in
            let slots = change.allocation.slots(of: generation)
            guard let other = kept[generation]?.desired.service(service.name) else { return nil }
            return DesiredVersion(
                generation: generation, fingerprint: other.fingerprint, slots: slots, restart: other.restart,
                isChecked: other.isChecked)
        }
        return service
    }

    /// How each service's traffic is split right now, where a release splits it.
    var shares: [ServiceName: ReleaseShare] {
        guard let release = release?.release, release.isLive, record?.desired.goal == .up else { return [:] }
        var shares: [ServiceName: ReleaseShare] = [:]
        for change in release.changes {
            guard change.kind == .canary || change.kind == .blueGreen || change.allocation.newShare != nil else { continue }
            shares[change.service] = ReleaseShare(newGeneration: change.new, percent: change.allocation.newShare)
        }
        return shares
    }

    /// The fingerprint of the version that the replica is of.
    func fingerprint(of replica: ReplicaID) -> String {
        if let service = record?.desired.service(replica.service), service.generation == replica.generation {
            return service.fingerprint
        }
        return kept[replica.generation]?.desired.service(replica.service)?.fingerprint ?? ""
    }

    /// Every version that a container is of, or that a release may want again.
    var versionsInUse: Set<VersionID> {
        var versions = Set(containers.values.map { VersionID($0.replica) })
        for change in release?.release.changes ?? [] {
            versions.insert(VersionID(service: change.service, generation: change.new))
            if let old = change.old { versions.insert(VersionID(service: change.service, generation: old)) }
        }
        return versions
    }

    // MARK: Going on

    /// Lets the release look at what is, and keeps what it decides; returns when it wants to look again by itself.
    func advanceRelease() -> Timestamp? {
        guard var current = release, current.release.isLive, current.number == record?.release,
            record?.desired.goal == .up
        else { return nil }
        let before = current.release
        var wakeAt = current.release.advance(views, now: now)
        // A failure is taken up at once: what follows depends on nothing that could still come.
        var rounds = 0
        while let time = wakeAt, time <= now, current.release.isLive, rounds < 10 {
            wakeAt = current.release.advance(views, now: now)
            rounds += 1
        }
        guard current.release != before else { return wakeAt }
        do {
            try keep(current, before)
        } catch {
            platform.log.error("a release can't be kept", ["project": name.rawValue, "error": "\(error)"])
            return now + .seconds(1)
        }
        return wakeAt
    }

    /// Writes down how far the release is, and does what its new state asks for.
    func keep(_ current: ReleaseRecord, _ before: Release) throws {
        let after = current.release
        if after.state != before.state, let next = recordAfter(current) {
            try platform.store.save([current], next)
            record = next
        } else {
            try platform.store.save(current, of: name)
        }
        release = current
        kept[current.number] = current
        if after.state != before.state { restoreRecipes() }
        tell(after.decisions.dropFirst(before.decisions.count), of: after)
        judgeWindows()
        if after.changes.map(\.allocation.newShare) != before.changes.map(\.allocation.newShare)
            || after.isLive != before.isLive
        {
            republish()
        }
        if after.isTerminal && !before.isTerminal {
            // Another version is wanted from now on; one that failed and stays has had its try.
            if after.state != .failed { blocked = blocked.filter { !$0.value.whileMaking } }
            try pruneReleases()
        }
    }

    /// What the project is after the release ended: the new version, or what was before.
    private func recordAfter(_ current: ReleaseRecord) -> ProjectRecord? {
        guard var next = record else { return nil }
        switch current.release.state {
        case .succeeded: next.proven = current.number
        case .rolledBack:
            guard let base = next.proven.flatMap({ kept[$0] }) else { return nil }
            let requestedAt = next.desired.requestedAt
            next.project = base.project
            next.images = base.images
            next.salts = base.salts
            next.desired = base.desired
            // What ended meanwhile by its own policy stays ended: nobody asked for it again.
            next.desired.requestedAt = min(requestedAt, base.desired.requestedAt)
        case .running, .paused, .rollingBack, .failed, .superseded: return nil
        }
        return next
    }

    private func tell(_ decisions: ArraySlice<ReleaseDecision>, of release: Release) {
        // The first of all is what `up` shows anyway.
        let isTold = kept[release.number]?.isProtected == true
        for decision in decisions {
            let text = decision.service.map { "\($0): \(decision.text)" } ?? decision.text
            let state: ProgressEvent.State =
                switch release.state {
                case .succeeded: .done
                case .rolledBack, .failed: .failed
                case .running, .paused, .rollingBack, .superseded: .working
                }
            if isTold { emit("Release \(release.number)", state, text) }
            platform.events.record(
                "release.decision", "release \(release.number)", of: name,
                decision.evidence.map { ["text": text, "evidence": $0] } ?? ["text": text])
        }
    }

    /// Brings new weights to the host's rules and the gateway.
    private func republish() {
        Task {
            await publishChange()
            converge()
        }
    }

    /// The release that is under way, as superseded; `nil` where none is.
    func superseded(by number: Int) -> ReleaseRecord? {
        guard var current = release, !current.release.isTerminal else { return nil }
        current.release.supersede(by: number, now: now)
        return current
    }

    /// Takes up that a release was superseded, which has just been written down.
    func replace(_ former: ReleaseRecord) {
        kept[former.number] = former
        tell(former.release.decisions.suffix(1), of: former.release)
    }

    /// Takes up a release that has just been written down.
    func take(_ new: ReleaseRecord) {
        release = new
        kept[new.number] = new
        figures = [:]
        checks = [:]
        checkedAt = [:]
        probeResults = [:]
        tell(new.release.decisions[...], of: new.release)
    }

    /// Forgets the oldest releases beyond those that are to be kept, except for what something still is made from.
    private func pruneReleases() throws {
        let limit = record?.project.keptReleases ?? 10
        let needed = Set(versionsInUse.map(\.generation))
            .union(record?.desired.services.map(\.generation) ?? [])
            .union([record?.proven, record?.release].compactMap { $0 })
        for number in kept.keys.sorted().dropLast(limit) where !needed.contains(number) {
            try platform.store.removeRelease(number, of: name)
            kept[number] = nil
        }
        let desired = record?.desired.services.map { VersionID(service: $0.name, generation: $0.generation) } ?? []
        let versions = versionsInUse.union(desired)
        recipes = recipes.filter { versions.contains($0.key) }
    }

    // MARK: What it sees

    var hasFailedReplica: Bool {
        views.values.contains { view in
            view.replicas.values.contains { condition in
                switch condition {
                case .failed: true
                case .starting, .ready, .completed, .leaving: false
                }
            }
        }
    }

    private var views: [ServiceName: ServiceView] {
        guard let release = release?.release else { return [:] }
        var views: [ServiceName: ServiceView] = [:]
        for change in release.changes { views[change.service] = view(of: change) }
        return views
    }

    private func view(of change: Change) -> ServiceView {
        var view = ServiceView(figures: figures[change.service] ?? [:], checks: checks[change.service] ?? [])
        for container in replicaContainers where container.replica.service == change.service {
            let instance = Instance(generation: container.replica.generation, slot: container.replica.slot)
            view.replicas[instance] = condition(container, instance, change)
        }
        for case .replica(let replica) in busy where replica.service == change.service {
            // A container that is being made is there already, as far as others have to keep away from it.
            let instance = Instance(generation: replica.generation, slot: replica.slot)
            if view.replicas[instance] == nil {
                view.replicas[instance] = change.allocation.instances.contains(instance) ? .starting : .leaving
            }
        }
        for instance in change.allocation.instances where view.replicas[instance] == nil {
            let replica = ReplicaID(service: change.service, slot: instance.slot, generation: instance.generation)
            if let error = blocked[.replica(replica)]?.error { view.replicas[instance] = .failed(evidence(error)) }
        }
        return view
    }

    private func condition(
        _ container: ContainerRecord, _ instance: Instance, _ change: Change
    ) -> ServiceView.Condition {
        if let block = blocked[.replica(container.replica)], block.whileMaking { return .failed(evidence(block.error)) }
        if !change.allocation.instances.contains(instance) || container.drainingSince != nil
            || stopping.contains(container.id)
        {
            return .leaving
        }
        let isNew = instance.generation == change.new && change.old != change.new
        switch container.phase {
        case .created, .starting: return .starting
        case .running:
            if container.health == .unhealthy { return .failed(evidence(container, "is unhealthy")) }
            let isOfThisRelease = container.startedAt ?? container.createdAt >= release?.release.createdAt ?? container.createdAt
            if isNew && isOfThisRelease && container.failures > patience(change) { return .failed(evidence(container, "ended by itself")) }
            if container.isReady { return .ready(since: container.readySince ?? container.startedAt ?? container.createdAt) }
            return isDeaf(container) ? .failed(evidence(container, "does not listen on its port")) : .starting
        case .exited(let code):
            let finished = container.finishedAt ?? container.createdAt
            let requestedAt = record.map { $0.desired.service(change.service)?.requestedAt ?? $0.desired.requestedAt }
            if container.wasStopped == true || finished < requestedAt ?? finished { return .starting }
            let policy = recipes[VersionID(container.replica)]?.service.restart ?? .no
            if code == 0 && !RestartDelay.applies(policy, code: code, failures: container.failures) {
                return change.endsWell == true ? .ready(since: finished) : .completed
            }
            let isTried = RestartDelay.applies(policy, code: code, failures: container.failures)
            if isTried && container.failures <= patience(change) { return .starting }
            return .failed(evidence(container, "ended with exit code \(code)"))
        }
    }

    /// How often a new replica may end and be restarted by its policy before it counts as failed: not at all where it
    /// takes the place of one that works; a few times where it waits for others that come up with it.
    private func patience(_ change: Change) -> Int { change.kind == .added ? 2 : 0 }

    /// Whether it has had its time to listen.
    func isDeaf(_ container: ContainerRecord) -> Bool {
        container.isListening == false && container.health == nil
            && now - (container.startedAt ?? now) > Self.listeningLimit
    }

    private static let listeningLimit = Duration.seconds(60)

    private func evidence(_ error: EscaleError) -> String {
        ([error.message] + error.details.map { "\($0.label):\n\($0.text)" }).joined(separator: "\n")
    }

    /// Why a replica is not what it should be: one line, then what it said itself.
    private func evidence(_ container: ContainerRecord, _ what: String) -> String {
        let reason = container.reason.map { $0.contains("\n") ? "" : " (\($0))" } ?? ""
        let probe = container.health == .unhealthy ? container.reason.map { "last probe: \($0)" } : nil
        let words = container.lastWords.flatMap { $0.isEmpty ? nil : "last output:\n\($0)" }
        return (["\(container.name) \(what)\(container.health == .unhealthy ? "" : reason)"] + [probe, words].compactMap { $0 })
            .joined(separator: "\n")
    }
}

/// A service's traffic while a release splits it.
struct ReleaseShare: Hashable, Sendable {
    let newGeneration: Int
    /// Percent for the new version; `nil` for the same to each replica.
    let percent: Int?
}

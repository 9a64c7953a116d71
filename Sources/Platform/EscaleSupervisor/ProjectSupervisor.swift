import EscaleAPI
import EscaleAnalysis
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscalePlan
import EscaleRelease
import EscaleSystem

/// Keeps one project as it shall be: observes, plans, writes down, performs, and looks again.
///
/// The only writer of the project's records. Commands change what is desired and wait; everything else, an exit, a
/// probe's result, the end of a delay, is a reason to plan again. Steps on different subjects run at the same time.
actor ProjectSupervisor {
    let name: ProjectName
    let platform: Platform
    /// `nil` before the first `up` and after `down`.
    var record: ProjectRecord?
    /// The release that is under way, or the last one.
    var release: ReleaseRecord?
    /// Kept releases by number, the newest among them.
    var kept: [Int: ReleaseRecord] = [:]
    /// What containers of each version that matters are made from.
    var recipes: [VersionID: Recipe] = [:]
    var containers: [ContainerID: ContainerRecord] = [:]
    var networks: Set<NetworkName> = []
    var volumes: Set<VolumeName> = []
    /// What is stored of it and can't be read, as far as it can't do without.
    var unreadable: [UnreadableRecord] = []
    /// What a step is being performed on.
    var busy: Set<Step.Subject> = []
    /// Replicas that a step is starting.
    private(set) var starting: Set<ReplicaID> = []
    /// What a step failed on.
    var blocked: [Step.Subject: Block] = [:]
    private var alarm: Task<Void, Never>?
    /// Counts commands: a waiting one gives up when a newer one came.
    private var command = 0
    private var observers: [Int: @Sendable (ProgressEvent) -> Void] = [:]
    let changes = Broadcast<Void>()
    nonisolated let commands = CommandQueue()
    /// Whether what a former daemon left is still being taken up. Nothing is begun before: what is half made looks unmade.
    var isAdopting = false
    /// Why it can't be taken up, which is tried again; its containers are left as they are meanwhile.
    var failure: EscaleError?
    var adoption: Task<Void, Never>?
    var nextAdoption: Task<Void, any Error>?
    /// The tasks that wait for a running container's end.
    var exits: [ContainerID: Task<Void, Never>] = [:]
    var heldStarts: [ContainerID: HeldStart] = [:]
    var lastOneOffSlot = 0
    /// What prepares the first start of a version right now.
    var preparing: [VersionID: Task<Void, any Error>] = [:]
    /// How containers ended that went with their end, for those who still ask; the last ones.
    var formerEnds: [ContainerEnd] = []
    var probes: [ContainerID: Task<Void, Never>] = [:]
    private var publications = 0
    private var republishing: Task<Void, Never>?
    /// Draining containers, with the time from which on no new connection led there.
    var secluded: [ContainerID: ContinuousClock.Instant] = [:]
    /// Draining containers whose last connection is over.
    var idle: Set<ContainerID> = []
    var drainWatch: Task<Void, Never>?
    /// Requests of the window that a release judges, by service and version; what queries and commands said of it.
    var figures: [ServiceName: [Int: TrafficFigures]] = [:]
    var checks: [ServiceName: [ServiceView.Check]] = [:]
    var judging: Task<Void, Never>?
    var checkedAt: [ServiceName: Timestamp] = [:]
    var probeResults: [VersionID: [ProbeResult]] = [:]
    /// Requests of the last seconds, while somebody watches.
    var recentFigures: [ServiceName: [Int: TrafficFigures]] = [:]
    /// Containers that a step is stopping.
    var stopping: Set<ContainerID> = []
    /// When the stops were begun that are for the containers' health.
    var ailing: [ContainerID: Timestamp] = [:]
    /// Instead of the services' own grace periods, for the current command.
    private(set) var stopTimeout: Duration?
    /// Instead of the containers' own stop signals, for the current command.
    private(set) var stopSignal: Int32?
    /// The last seeding of each volume, so that replicas that share one don't fill it at the same time.
    var seedings: [VolumeName: Task<Void, any Error>] = [:]

    /// Steps of one project at a time; more would only wait for the processors.
    private static let stepLimit = 16

    init(
        name: ProjectName, platform: Platform, stored: StoredProject = StoredProject(), volumes: Set<VolumeName> = []
    ) {
        self.name = name
        self.platform = platform
        record = stored.record
        containers = Dictionary(stored.containers.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        networks = Set(stored.networks.map(\.name))
        self.volumes = volumes
        let kept = Dictionary(stored.releases.map { ($0.number, $0) }, uniquingKeysWith: { $1 })
        self.kept = kept
        release = stored.record.flatMap { kept[$0.release] }
        unreadable = stored.missed
    }

    /// For all that is recorded and compared; what is only shown has the wall clock's time.
    var now: Timestamp { platform.clock.now }

    /// Whether it is a project at all, or only volumes of a former one.
    var exists: Bool { record != nil || !unreadable.isEmpty }

    // MARK: Commands

    /// Takes a new goal and waits until it is reached.
    ///
    /// - Parameters:
    ///   - isDone: looks at the project after every change; throws what makes waiting pointless.
    ///   - observer: sees every step's progress meanwhile.
    ///   - newRelease: what the new goal comes about by; `nil` where no version changes.
    func pursue(
        _ newRecord: ProjectRecord, _ newRelease: ReleaseRecord? = nil, stopTimeout: Duration?,
        stopSignal: Int32? = nil, timeout: Duration?,
        observer: @escaping @Sendable (ProgressEvent) -> Void,
        until isDone: (DesiredProject, ObservedProject) async throws -> Bool
    ) async throws {
        try await requireTakenUp()
        command += 1
        let own = command
        observers[own] = observer
        defer { observers[own] = nil }
        self.stopTimeout = stopTimeout
        self.stopSignal = stopSignal
        blocked = [:]
        if let newRelease {
            let former = superseded(by: newRelease.number)
            try platform.store.save([former, newRelease].compactMap { $0 }, newRecord)
            if let former { replace(former) }
            take(newRelease)
        } else {
            try platform.store.save(newRecord)
        }
        record = newRecord
        let listening = changes.listen(buffer: 1)
        let deadline = timeout.map { ContinuousClock.now + $0 }
        // Some goals are reached, or missed, by nothing but time going by.
        let ticker = Task { [changes] in
            while true {
                try await Task.sleep(for: .milliseconds(100))
                changes.send(())
            }
        }
        defer { ticker.cancel() }
        converge()
        for await _ in listening {
            try Task.checkCancellation()
            guard command == own else { throw EscaleError.superseded(name) }
            if let error = blockade, busy.isEmpty { throw error }
            if release?.isProtected == true, newRelease != nil {
                if try await isDone(newRecord.desired, observed) { return }
            } else if busy.isEmpty, record == nil || (plannedSteps.isEmpty && !isDraining),
                try await isDone(newRecord.desired, observed)
            {
                return
            }
            if let deadline, ContinuousClock.now >= deadline { throw EscaleError.waitedTooLong(name, for: pendingReasons) }
        }
        throw CancellationError()
    }

    /// Tries again where it couldn't be taken up.
    func requireTakenUp() async throws {
        if failure != nil { await adopt() }
        if let failure { throw EscaleError.notTakenUp(name, failure) }
    }

    var observed: ObservedProject {
        ObservedProject(
            networks: networks, volumes: volumes,
            containers: containers.values.filter(isPlanned).map {
                $0.observed(isIdle: idle.contains($0.id), isStarting: starting.contains($0.replica))
            }
                .sorted { $0.replica < $1.replica })
    }

    /// What keeps the command from getting there: not what was begun for a former one and is no longer to be done. What
    /// fails of a release that has something to go back to is for the release to judge; it doesn't look at other services.
    private var blockade: EscaleError? {
        guard !blocked.isEmpty else { return nil }
        let judge = release.flatMap { $0.isProtected && $0.release.isLive ? $0.release : nil }
        let judged = Set(judge?.changes.map(\.service) ?? [])
        let steps = Dictionary(plannedSteps.map { ($0.subject, $0) }, uniquingKeysWith: { first, _ in first })
        return blocked.filter { subject, block in
            guard block.command == command || steps[subject]?.makes == block.whileMaking else { return false }
            guard case .replica(let replica) = subject else { return true }
            return !judged.contains(replica.service)
        }.sorted { "\($0.key)" < "\($1.key)" }.first?.value.error
    }

    private var plannedSteps: [Step] {
        guard let desired = effective else { return [] }
        return plan(desired: desired, observed: observed, now: now).steps
    }

    private var pendingReasons: [String] {
        guard let desired = effective else { return [] }
        let waits = plan(desired: desired, observed: observed, now: now).waits
        return waits.map { "\($0.replica) \($0)" }
            + containers.values.filter { $0.health == .starting || $0.health == .unhealthy }
            .map { "\($0.name) is \($0.health?.rawValue ?? "")\($0.reason.map { ": \($0)" } ?? "")" }.sorted()
    }

    // MARK: The loop

    /// Plans and begins what can be begun. Called after every change.
    func converge() {
        guard !isAdopting else { return }
        let wakeAt = advanceRelease()
        guard let record, let desired = effective else { return changes.send(()) }
        let plan = plan(desired: desired, observed: observed, now: now)
        for step in plan.steps where !busy.contains(step.subject) {
            // What could not be made may still be taken away, and the other way round.
            if let block = blocked[step.subject], block.whileMaking == step.makes, block.holds { continue }
            guard busy.count < Self.stepLimit else { break }
            busy.insert(step.subject)
            if case .start(_, let replica) = step.action { starting.insert(replica) }
            Task { await perform(step) }
        }
        for wait in plan.waits { announce(wait) }
        setAlarm([plan.wakeAt, wakeAt].compactMap { $0 }.min())
        if plan.steps.isEmpty, busy.isEmpty, case .down = record.desired.goal { forget() }
        changes.send(())
    }

    private func perform(_ step: Step) async {
        let command = command
        let outcome: String
        do {
            let entry = try platform.store.begin(step, of: name, at: .now)
            do {
                try await run(step)
                outcome = "done"
                blocked[step.subject] = nil
            } catch {
                let error = EscaleError(wrapping: error)
                outcome = error.description
                block(step, error, command)
                emit(subject(step), .failed, "Error", reason: error.message)
                platform.log.error("a step failed", ["step": "\(step.action)", "error": error.description])
            }
            try platform.store.finish(entry, outcome: outcome, at: .now)
        } catch {
            // Without the journal nothing may be done.
            block(step, EscaleError(wrapping: error), command)
        }
        busy.remove(step.subject)
        if case .start(_, let replica) = step.action { starting.remove(replica) }
        converge()
    }

    /// Remembers that the step failed. What makes something is tried again by the next command; what takes something away
    /// is tried again by itself, since nobody may be left to ask for it.
    private func block(_ step: Step, _ error: EscaleError, _ command: Int) {
        // The next command has come meanwhile.
        if step.makes && command != self.command { return }
        let former = blocked[step.subject].flatMap { $0.whileMaking == step.makes ? $0 : nil }
        let failures = (former?.failures ?? 0) + 1
        let pause = Duration.seconds(min(60, 1 << min(failures - 1, 6)))
        blocked[step.subject] = Block(
            error: error, whileMaking: step.makes, command: command, failures: failures,
            retryAt: step.makes ? nil : ContinuousClock.now + pause)
        guard !step.makes else { return }
        Task {
            try await Task.sleep(for: pause)
            converge()
        }
    }

    private func run(_ step: Step) async throws {
        switch step.action {
        case .createNetwork(let network): try await createNetwork(network)
        case .createVolume(let volume): try await createVolume(volume)
        case .create(let replica): try await create(replica)
        case .start(let id, _): try await start(id, because: step.reason)
        case .drain(let id, _): try await drain(id, because: step.reason)
        case .undrain(let id, _): try await undrain(id)
        case .stop(let id, _): try await stop(id, because: step.reason)
        case .remove(let id, _): try await remove(id, because: step.reason)
        case .removeNetwork(let network): try await removeNetwork(network)
        case .removeVolume(let volume): try await removeVolume(volume)
        }
    }

    private func setAlarm(_ time: Timestamp?) {
        alarm?.cancel()
        alarm = time.map { time in
            Task {
                // A cancelled alarm has been replaced by another one.
                guard (try? await Task.sleep(for: max(.zero, time - now))) != nil else { return }
                converge()
            }
        }
    }

    private func forget() {
        do {
            try platform.store.forget(name)
            record = nil
            recipes = [:]
            release = nil
            kept = [:]
            seedings = [:]
        } catch {
            platform.log.error("a project can't be forgotten", ["project": name.rawValue, "error": "\(error)"])
        }
    }

    // MARK: Progress

    func emit(_ subject: String, _ state: ProgressEvent.State, _ text: String, reason: String? = nil) {
        let event = ProgressEvent(subject, state, text, reason: reason, at: .now)
        for observer in observers.values { observer(event) }
    }

    private func announce(_ wait: Wait) {
        guard !observers.isEmpty else { return }
        emit(title(wait.replica), .working, "Waiting", reason: wait.description)
    }

    func subject(_ step: Step) -> String {
        switch step.subject {
        case .network(let name): "Network \(name)"
        case .volume(let name): "Volume \(name)"
        case .replica(let replica): title(replica)
        }
    }

    /// The name that the replica's container has or gets.
    func containerName(_ replica: ReplicaID) -> String {
        containers.values.first { $0.replica == replica }?.name
            ?? recipes[VersionID(service: replica.service, generation: replica.generation)]?.service.containerName
            ?? "\(name)-\(replica)"
    }

    /// What progress calls the container: by its version too, as long as another one of its slot is there.
    func title(_ replica: ReplicaID) -> String { title(replica, name: containerName(replica)) }

    func title(_ replica: ReplicaID, name: String) -> String {
        let isTwin = containers.values.contains {
            $0.replica.service == replica.service && $0.replica.slot == replica.slot
                && $0.replica.generation > replica.generation
        }
        return isTwin ? "Container \(name) (release \(replica.generation))" : "Container \(name)"
    }

    // MARK: Records

    /// Changes a container's record and keeps it; one that is gone meanwhile stays gone.
    @discardableResult
    func update(_ id: ContainerID, _ change: (inout ContainerRecord) -> Void) throws -> ContainerRecord? {
        guard var record = containers[id] else { return nil }
        change(&record)
        try platform.store.save(record)
        containers[id] = record
        return record
    }

    /// Tells the network which containers there are and which are ready; returns when its rules say so.
    ///
    /// Where it fails it is tried again by itself, until it succeeds: nothing else may come that would bring it about.
    func publish() async throws {
        do {
            try await publishOnce()
            republishing?.cancel()
            republishing = nil
        } catch {
            if republishing == nil { republishing = Task { await publishAgain() } }
            throw error
        }
    }

    /// Publishes what has come about already, and would not be undone if nobody could be told.
    func publishChange() async {
        do { try await publish() } catch {
            platform.log.error("the network rules can't be written", ["error": "\(error)"])
        }
    }

    private func publishAgain() async {
        // Cancelled by a publication that succeeded.
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            do {
                try await publishOnce()
                republishing = nil
                return
            } catch {
                platform.log.error("the network rules can't be written", ["error": "\(error)"])
            }
        }
    }

    /// The project, or, where its record can't be read, what its newest release made of it.
    var lastKnown: Project? { record?.project ?? kept.values.max { $0.number < $1.number }?.project }

    private func publishOnce() async throws {
        publications += 1
        let leaving = containers.values.filter { $0.drainingSince != nil }
        let desired = record.flatMap { $0.desired.goal == .up ? $0.desired : nil }
        try await platform.network.publish(
            name, number: publications, containers: Array(containers.values),
            services: lastKnown?.services ?? [], shares: shares,
            expected: Set(desired?.services.filter { $0.replicas > 0 }.map(\.name) ?? []),
            outside: lastKnown?.outside ?? [:])
        for container in leaving where containers[container.id]?.drainingSince == container.drainingSince {
            if secluded[container.id] == nil { secluded[container.id] = .now }
        }
    }
}

/// A step that failed.
struct Block: Sendable {
    let error: EscaleError
    /// Whether it was one that makes something.
    let whileMaking: Bool
    /// The command during which it began.
    let command: Int
    /// How often in a row.
    let failures: Int
    /// When it may be tried again; `nil` for not before the next command.
    let retryAt: ContinuousClock.Instant?

    var holds: Bool { retryAt.map { $0 > .now } ?? true }
}

extension Step {
    /// Whether it makes something, rather than takes it away.
    fileprivate var makes: Bool {
        switch action {
        case .createNetwork, .createVolume, .create, .start, .undrain: true
        case .drain, .stop, .remove, .removeNetwork, .removeVolume: false
        }
    }
}

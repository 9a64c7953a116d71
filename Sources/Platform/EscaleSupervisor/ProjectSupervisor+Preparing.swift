import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleOCI
import EscalePlan
import EscaleRelease
import EscaleSystem

/// `pre_start`: what has to be done, each in a container of its own, before a service's containers start.
extension ProjectSupervisor {
    /// Does what is left to be done before the container's first start, one after the other; throws where one fails.
    ///
    /// What is done for the service as a whole is done once for each version, before the first of its containers starts, and
    /// not again when it is scaled, stopped and started, or gone back to. A daemon that comes after one that was killed goes on with it.
    func prepare(_ id: ContainerID) async throws {
        guard let container = containers[id], container.isOneOff != true, let recipe = recipes[VersionID(container.replica)] else { return }
        for (index, hook) in (recipe.service.hooks?.preStart ?? []).enumerated() where index >= container.preparations ?? 0 {
            if hook.runsForEachReplica == true {
                try await run(hook, index, for: container, recipe)
            } else {
                try await runOnce(hook, index, for: container, recipe)
            }
            try update(id) { $0.preparations = index + 1 }
        }
    }

    /// Ends what prepares another version of the service for nobody any more, and removes what did. What a release failed on stays to
    /// be looked at while that is undone.
    func endOtherPreparations(than version: VersionID) async throws {
        let underWay = Set(starting.map { VersionID($0) })
        let others = containers.values.filter { other in
            other.preparation != nil && other.replica.service == version.service && VersionID(other.replica) != version
                && !underWay.contains(VersionID(other.replica)) && !(goesBack && other.hasEnded)
        }
        for other in others { try await endRunner(other.id) }
    }

    /// Whether a release leads back to a version that was there before, with all that is done once for it.
    private var goesBack: Bool {
        guard let release = release?.release, !release.isTerminal else { return false }
        return release.isRollback || release.state == .rollingBack
    }

    private func runOnce(_ hook: Hook, _ index: Int, for container: ContainerRecord, _ recipe: Recipe) async throws {
        let version = VersionID(container.replica)
        while let other = preparing[version] { try await other.value }
        let isDone = replicaContainers.contains {
            VersionID($0.replica) == version && ($0.startedAt != nil || $0.preparations ?? 0 > index)
        }
        if isDone || goesBack { return }
        let task = Task {
            defer { preparing[version] = nil }
            try await run(hook, index, for: container, recipe)
            // The others look for it as soon as they hear.
            try update(container.id) { $0.preparations = index + 1 }
        }
        preparing[version] = task
        try await task.value
    }

    private func run(_ hook: Hook, _ index: Int, for container: ContainerRecord, _ recipe: Recipe) async throws {
        guard let id = try await runner(of: hook, index, for: container, recipe) else { return }
        let unwanted = Task {
            try await awaitUnwanted(container)
            if let runner = containers[id], !isPlanned(runner) { try await stopAlone(runner, timeout: nil) }
        }
        defer { unwanted.cancel() }
        await exits[id]?.value
        let runner = containers[id]
        if let runner, case .exited(0) = runner.phase { return try await endRunner(id) }
        guard let runner, case .exited(let code) = runner.phase, isWanted(container) else {
            try await endRunner(id)
            throw EscaleError(.interrupted, "service \(container.replica.service): pre_start was ended: it is no longer wanted")
        }
        let engine = platform.engine
        let output = try await blocking { engine.logTail(of: id) }
        throw EscaleError(
            .init("hook.failed"),
            "service \(container.replica.service): pre_start ended with \(Signals.spoken(code)): \(hook.command.joined(separator: " "))",
            hint: "look at it: `escale container inspect \(runner.name)`; it stays until `escale up` tries again",
            details: output.isEmpty ? [] : [.init("its output", output)])
    }

    /// Starts the container that does it; `nil` where a former daemon's has done it. One that failed goes first.
    private func runner(
        of hook: Hook, _ index: Int, for container: ContainerRecord, _ recipe: Recipe
    ) async throws -> ContainerID? {
        let replica = container.replica
        let own = hook.runsForEachReplica == true ? "-\(replica.slot)" : ""
        var name = "\(self.name)-\(replica.service)-pre_start-\(index)\(own)"
        for former in containers.values where former.name == name || former.name == "\(name)-\(replica.generation)" {
            let isSame = former.preparation != nil && former.replica.generation == replica.generation
            if isSame, former.processes != nil { return former.id }
            guard isSame || former.hasEnded else {
                // Another version is being prepared at the same time.
                name += "-\(replica.generation)"
                continue
            }
            try await endRunner(former.id)
            if isSame, former.phase == .exited(code: 0) { return nil }
        }
        var service = recipe.service.runner(of: hook)
        // What the service's image declares is there too.
        service.mounts = recipe.mounts
        let runner = try self.recipe(
            service, recipe.project, imageID: hook.image == nil ? recipe.imageID : nil, renewal: recipe.renewal)
        let made = ReplicaID(service: replica.service, slot: freeOneOffSlot(of: replica.service), generation: replica.generation)
        let id = try await make(runner, made, name: name, fingerprint: "", volumesOf: replica.slot) { container in
            container.isOneOff = true
            container.preparation = index
        }
        try await start(id, because: .requested)
        return id
    }

    /// Removes a container of `pre_start`; what goes with the whole project the planner removes.
    private func endRunner(_ id: ContainerID) async throws {
        guard let runner = containers[id], !isPlanned(runner) else { return }
        try await endOneOff(id)
    }
}

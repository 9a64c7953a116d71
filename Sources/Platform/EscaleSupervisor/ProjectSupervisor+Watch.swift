import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleOCI
import EscalePlan
import EscaleSystem

/// What happens by itself: containers end, and probes find them well or not.
extension ProjectSupervisor {
    /// Takes up what a former daemon left. Where that fails nothing is begun for the project, its containers keep their
    /// traffic, and it is tried again by itself.
    func adopt() async {
        if let adoption { return await adoption.value }
        let task = Task { await tryToAdopt() }
        adoption = task
        await task.value
        adoption = nil
    }

    private func tryToAdopt() async {
        // An exit or a probe's result may come in meanwhile, and would start what is being undone.
        isAdopting = true
        nextAdoption?.cancel()
        do {
            try await takeUp()
            failure = nil
        } catch {
            let error = EscaleError(wrapping: error)
            if failure != error { platform.log.error("a project can't be taken up", ["project": name.rawValue, "error": error.description]) }
            failure = error
            nextAdoption = Task {
                try await Task.sleep(for: .seconds(5))
                await adopt()
            }
        }
        await publishChange()
        guard failure == nil else { return }
        isAdopting = false
        converge()
    }

    /// Running containers are watched again, half-begun starts undone. Can be done again where it was cut short.
    private func takeUp() async throws {
        try await readAgain()
        // One that was only written down is made now.
        for volume in volumes.sorted() {
            do { try await platform.volumes.create(volume) } catch {
                platform.log.error("a volume can't be made", ["volume": volume.rawValue, "error": "\(error)"])
            }
        }
        for container in containers.values {
            switch container.phase {
            case .running(let processes):
                let engine = platform.engine
                if try await blocking({ engine.hasEnded(processes) }) {
                    // Known before anything is begun, so that what depends on it waits for it.
                    let exit = try await engine.exit(of: container.blueprint, processes)
                    try await ended(container.id, exit, at: now)
                    try await removeIfFinished(container.id)
                    continue
                }
                try await adoptPause(of: container.id)
                if exits[container.id] == nil { watch(container.id) }
                if container.drainingSince != nil { watchDrains() }
            case .created where container.preparation != nil, .starting where container.preparation != nil:
                // Whom it was to prepare makes another one.
                try await remove(container.id, because: .requested)
            case .starting:
                try await platform.engine.discardProcesses(container.id)
                try update(container.id) { container in
                    guard container.startedAt != nil else {
                        container.phase = .created
                        return
                    }
                    container.phase = .exited(code: 137)
                    container.finishedAt = now
                }
            case .created, .exited:
                if container.isRemovedAtExit == true { try await remove(container.id, because: .requested) }
            }
        }
    }

    /// Reads again what could not be read: somebody may have put it right.
    private func readAgain() async throws {
        guard !unreadable.isEmpty else { return }
        let stored = try platform.store.stored(name)
        unreadable = stored.missed
        if let first = unreadable.first { throw EscaleError.recordUnreadable(first, others: unreadable.count - 1) }
        record = stored.record
        for container in stored.containers where containers[container.id] == nil { containers[container.id] = container }
        networks = Set(stored.networks.map(\.name))
        kept = Dictionary(stored.releases.map { ($0.number, $0) }, uniquingKeysWith: { $1 })
        release = record.flatMap { kept[$0.release] }
        await platform.network.read(stored.networks)
        restoreRecipes()
    }

    /// Gives up what can't be read: containers and networks of which nothing is known go, the records are kept as files.
    ///
    /// - Returns: whether there was any.
    func giveUpUnreadable() async throws -> Bool {
        if !unreadable.isEmpty { await adopt() }
        let given = unreadable
        for record in given {
            if record.kind == .container { try await platform.engine.discard(ContainerID(rawValue: record.name)) }
            try platform.store.setAside(record, at: .now)
            if record.kind == .network { await platform.network.giveUp(NetworkName(rawValue: record.name)) }
            platform.log.warning(
                "an unreadable record was set aside",
                ["project": name.rawValue, "kind": record.kind.rawValue, "name": record.name])
        }
        guard !given.isEmpty else { return false }
        unreadable = []
        // Nothing is begun for what is about to go.
        record?.desired.goal = .stopped
        await adopt()
        return true
    }

    /// Waits for the container's end, and probes it meanwhile.
    func watch(_ id: ContainerID) {
        guard let container = containers[id], let processes = container.processes else { return }
        exits[id] = Task {
            let exit: ContainerExit
            do { exit = try await platform.engine.exit(of: container.blueprint, processes) } catch {
                platform.log.error("a container can't be watched", ["container": container.name, "error": "\(error)"])
                return
            }
            // As long as its end can't be kept it counts as running, and nobody else will tell.
            let end = now
            await insist { try await ended(id, exit, at: end) }
            await publishChange()
            converge()
            await insist { try await removeIfFinished(id) }
        }
        guard container.preparation == nil, let recipe = recipes[VersionID(container.replica)], let startedAt = container.startedAt
        else { return }
        if let port = recipe.listeningPort, container.isListening == false {
            probes[id] = Task { await awaitListening(id, port) }
        }
        guard let probe = recipe.probe else { return }
        let monitor =
            container.health.flatMap { $0 == .starting ? nil : $0 }.map {
                HealthMonitor(recipe.health, startedAt: startedAt, adopted: $0, now: now)
            } ?? HealthMonitor(recipe.health, startedAt: startedAt)
        probes[id] = Task { await check(container, probe, monitor) }
    }

    private func ended(_ id: ContainerID, _ exit: ContainerExit, at end: Timestamp) async throws {
        probes.removeValue(forKey: id)?.cancel()
        let engine = platform.engine
        let words = stopping.contains(id) ? nil : try await blocking { engine.logTail(of: id) }
        let reason =
            exit.outOfMemory ? ContainerRecord.outOfMemory : exit.endedWithHost ? "ended with the machine" : exit.unseen ? "ended unseen" : Signals.spoken(exit.code)
        let updated = try update(id) { container in
            container.phase = .exited(code: exit.code)
            let begun = ailing[id].flatMap { isAskedFor(container, since: $0) ? $0 : nil }
            container.finishedAt = begun ?? end
            container.health = nil
            container.isListening = container.isListening.map { _ in false }
            container.readySince = nil
            container.reason = container.endedUnhealthy == true ? "unhealthy: \(container.reason ?? "")" : reason
            container.lastWords = words ?? container.lastWords
            container.isPaused = nil
            // What was stopped for its health has failed: its policy says when it is tried again.
            let ailed = container.endedUnhealthy == true
            // After a boot, what is always to run starts as if it were new: after what it depends on.
            let isNew = exit.endedWithHost && restartsAlways(container)
            container.wasStopped = ((stopping.contains(id) || container.isStranded) && !ailed) || isNew
            container.endedWithHost = exit.endedWithHost ? true : nil
            let ran = container.startedAt.map { end - $0 } ?? .zero
            let wasStable = ailed ? container.wasHealthy == true : ran >= RestartDelay.stableAfter
            // Who asks for it gives it all its chances again.
            let isFirst = wasStable || container.startedAt.map { isAskedFor(container, since: $0) } == true
            container.failures = isFirst ? 1 : container.failures + 1
        }
        exits[id] = nil
        idle.remove(id)
        secluded[id] = nil
        if let updated {
            platform.events.record(
                "container.exited", updated.name, of: name, ["exitCode": "\(exit.code)", "reason": updated.reason ?? reason])
        }
    }

    /// Does it again until it succeeds.
    private func insist(_ body: () async throws -> Void) async {
        while !Task.isCancelled {
            do { return try await body() } catch {
                platform.log.error("the end of a container can't be kept", ["error": "\(error)"])
                try? await Task.sleep(for: .seconds(1))  // cancelled, it ends here
            }
        }
    }

    private func restartsAlways(_ container: ContainerRecord) -> Bool {
        switch record?.desired.service(container.replica.service)?.restart {
        case .always, .unlessStopped: true
        case .no, .onFailure, nil: false
        }
    }

    // MARK: Health

    private func check(_ container: ContainerRecord, _ probe: Recipe.Probe, _ monitor: HealthMonitor) async {
        var monitor = monitor
        while !Task.isCancelled {
            // A cancelled check ends here or after its probe.
            guard (try? await Task.sleep(for: max(.zero, monitor.nextProbe - now))) != nil else { return }
            if containers[container.id]?.isPaused == true {
                monitor.postpone(now: now)
                continue
            }
            let begun = now
            let complaint = await complaint(of: probe, container, timeout: monitor.settings.timeout)
            if Task.isCancelled { return }
            monitor.finished(success: complaint == nil, begun: begun, now: now)
            do {
                try await probed(container.id, monitor.health, output: complaint)
            } catch {
                platform.log.error("a probe's result can't be kept", ["error": "\(error)"])
            }
        }
    }

    /// Checks the container once; `nil` where it is well.
    private func complaint(of probe: Recipe.Probe, _ container: ContainerRecord, timeout: Duration) async -> String? {
        switch probe {
        case .command(let arguments):
            let spec = container.blueprint.spec
            guard let result = try? await platform.engine.probe(arguments, in: spec, timeout: timeout) else {
                return "the check could not be run"
            }
            if result.status == 0, !result.timedOut { return nil }
            return (result.timedOut ? "no answer within \(timeout.composeText)\n" : "") + result.tail()
        case .network(let probe):
            guard let address = container.addresses.first?.address else { return "it has no address to ask at" }
            return await platform.network.controller.complaint(of: probe, at: address, timeout: timeout)
        }
    }

    private func probed(_ id: ContainerID, _ health: ObservedContainer.Health, output: String?) async throws {
        guard let container = containers[id], container.processes != nil else { return }
        guard container.health != health || container.reason != output else { return }
        try update(id) { container in
            container.health = health
            if health == .healthy { container.wasHealthy = true }
            container.reason = output
            container.readySince = container.isReady ? container.readySince ?? now : nil
        }
        guard container.health != health else { return }
        await publishChange()
        platform.events.record(
            "health.\(health.rawValue)", container.name, of: name, output.map { ["output": $0] } ?? [:])
        switch health {
        case .healthy: emit("Container \(container.name)", .done, "Healthy")
        case .unhealthy: emit("Container \(container.name)", .failed, "Unhealthy", reason: output)
        case .starting: break
        }
        converge()
    }
}

import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleImages
import EscaleOCI
import EscalePlan
import EscaleSystem
import Glibc

/// The steps themselves. Each leaves the records true at every moment: what exists is written down before it is used,
/// and a step that was cut short is undone or done again by the next plan.
extension ProjectSupervisor {
    // MARK: Networks and volumes

    func createNetwork(_ network: NetworkName) async throws {
        guard let spec = record?.project.networks.first(where: { $0.name == network }) else { return }
        emit("Network \(network)", .working, "Creating")
        try await platform.network.create(spec, of: name)
        networks.insert(network)
        emit("Network \(network)", .done, "Created")
    }

    func removeNetwork(_ network: NetworkName) async throws {
        emit("Network \(network)", .working, "Removing")
        try await platform.network.remove(network)
        networks.remove(network)
        emit("Network \(network)", .done, "Removed")
    }

    func createVolume(_ volume: VolumeName) async throws {
        emit("Volume \(volume)", .working, "Creating")
        try await adopt(volume)
        emit("Volume \(volume)", .done, "Created")
    }

    func removeVolume(_ volume: VolumeName) async throws {
        emit("Volume \(volume)", .working, "Removing")
        try await platform.volumes.remove(volume)
        do { try platform.store.remove(volume) } catch {
            // What is written down is there: who wants it again by then would miss it.
            try await platform.volumes.create(volume)
            throw error
        }
        volumes.remove(volume)
        emit("Volume \(volume)", .done, "Removed")
    }

    /// Makes a volume the project's, anonymous ones among them.
    func adopt(_ volume: VolumeName) async throws {
        try platform.store.save(volume, of: name)
        try await platform.volumes.create(volume)
        volumes.insert(volume)
    }

    // MARK: Containers

    func create(_ replica: ReplicaID) async throws {
        _ = try await make(
            try recipe(of: replica), replica, name: containerName(replica), fingerprint: fingerprint(of: replica)
        ) { _ in }
    }

    /// Makes a container and doesn't start it.
    ///
    /// - Parameters:
    ///   - slot: whose anonymous volumes it has; its own for `nil`.
    ///   - adjust: what is different about this one.
    func make(
        _ recipe: Recipe, _ replica: ReplicaID, name containerName: String, fingerprint: String, volumesOf slot: Int? = nil,
        adjust: (inout ContainerRecord) -> Void
    ) async throws -> ContainerID {
        let title = self.title(replica, name: containerName)
        emit(title, .working, "Creating")
        let id = platform.engine.newID()
        let image = try platform.images.image(recipe.imageID.description)
        let layers = platform.images.lowerDirectories(of: image)
        let user = try await platform.user(of: recipe, inLayers: layers)
        let hostname = try recipe.service.hostname ?? hostname(of: recipe.service) ?? id.short
        var spec = ContainerSpec(
            id: id, arguments: try recipe.arguments(),
            environment: recipe.environment(home: user.home, hostname: hostname),
            workingDirectory: recipe.service.workingDirectory ?? recipe.image.workingDirectory ?? "/",
            user: user.uid, group: user.gid, additionalGroups: user.additionalGroups, hostname: hostname)
        spec.readOnlyRoot = recipe.service.readOnly
        spec.terminal = recipe.service.tty
        (spec.capabilities, spec.confinement) = try await blocking {
            (try recipe.capabilities(of: HostFacts.capabilities()), try recipe.confinement())
        }
        spec.devices = recipe.devices
        spec.sysctls = recipe.service.security?.sysctls
        if recipe.service.namespaces?.ipc == .named("none") { spec.hasSharedMemory = false }
        spec.hasCgroupNamespace = recipe.hasCgroupNamespace(platform.engine.facts.cgroups)
        let countsSwap = platform.engine.facts.countsSwap
        spec.limits = limits(of: recipe, countsSwap: countsSwap, title: title)
        if !countsSwap, recipe.service.resources?.memoryAndSwap != nil {
            emit(
                title, .warning, "Without memswap_limit",
                reason: "this kernel does not count swap; boot it with swapaccount=1, or remove the line")
        }
        if recipe.service.useInit {
            guard let program = platform.engine.facts.initProgram else {
                throw EscaleError.missingPackage("tini", for: "`init: true`")
            }
            spec.initProgram = program
        }
        spec.mounts = try await mounts(of: recipe, slot: slot ?? replica.slot, layers: layers)
        spec.namespaces = recipe.service.namespaces?.ofHost
        if let domain = recipe.service.names?.domain { spec.domainname = domain }
        let addresses = try await platform.network.allocate(recipe.service, of: recipe.project, for: id)
        var container = ContainerRecord(
            id: id, name: containerName, project: name, replica: replica,
            fingerprint: fingerprint,
            blueprint: try recipe.blueprint(spec, name: containerName, layers: layers),
            image: recipe.imageName, imageID: recipe.imageID, addresses: addresses, names: recipe.service.names,
            namespaces: recipe.service.namespaces, mountedImages: try recipe.mountedImages(platform.images),
            ports: try await platform.network.assign(recipe.service.ports, to: id, of: recipe.service.name), stopSignal: try recipe.stopSignal(),
            createdAt: now, httpPort: recipe.service.http?.containerPort)
        adjust(&container)
        try platform.store.save(container)
        containers[id] = container
        // Its names and rules are there before it is.
        try await publish()
        emit(title, .done, "Created")
        return id
    }

    func start(_ id: ContainerID, because reason: Reason) async throws {
        guard let container = containers[id] else { return }
        let subject = title(container.replica)
        let recipe = container.preparation == nil ? recipes[VersionID(container.replica)] : nil
        let service = record?.desired.service(container.replica.service)
        let seen = generations(seenBy: service)
        emit(subject, .working, "Starting", reason: reason == .ready ? nil : reason.description)
        let hasRun = container.startedAt != nil
        let begun = now
        do {
            if container.isOneOff != true {
                try await endOtherPreparations(than: VersionID(container.replica))
                if !hasRun { try await prepare(id) }
            }
            try update(id) { $0.phase = .starting }
            let processes = try await launch(container, hasRun: hasRun)
            try update(id) { container in
                container.phase = .running(processes)
                container.startedAt = now
                container.finishedAt = nil
                container.wasStopped = nil
                container.endedWithHost = nil
                container.reason = nil
                container.health = recipe?.probe == nil ? nil : .starting
                container.isListening = recipe?.listeningPort == nil ? nil : false
                container.readySince = container.isReady ? container.startedAt : nil
                container.drainingSince = nil
                container.isPaused = nil
                container.wasHealthy = nil
                container.endedUnhealthy = nil
                container.round = service?.round
                container.seenGenerations = seen
                // Asked for, it has all its chances again.
                if case .ended = reason { container.restarts += 1 } else { container.failures = 0 }
            }
        } catch {
            try await startFailed(id, begun: begun, hasRun: hasRun, error: EscaleError(wrapping: error))
            return
        }
        watch(id)
        try await publish()
        platform.events.record("container.started", container.name, of: name, ["reason": reason.description])
        emit(subject, .done, "Started")
    }

    private func launch(_ container: ContainerRecord, hasRun: Bool) async throws -> ContainerProcesses {
        let id = container.id
        if hasRun { try await platform.engine.release(id) }
        let (blueprint, files, companions) = try await joining(container)
        let processes: ContainerProcesses
        do {
            processes = try await platform.engine.create(blueprint, files: files)
        } catch let error as EscaleError where error.code == .settingRefused {
            throw error.of("service \(container.replica.service)")
        }
        try await platform.network.attach(container, pid: processes.container.pid)
        try update(id) { $0.companions = companions }
        if let held = heldStarts[id] {
            held.isMade.open()
            try await held.mayGo.wait()
        }
        try await platform.engine.start(id, name: container.name)
        try await runPostStart(container, processes)
        return processes
    }

    /// A container that never ran keeps its command waiting for better; one that did follows its restart policy.
    private func startFailed(_ id: ContainerID, begun: Timestamp, hasRun: Bool, error: EscaleError) async throws {
        try await platform.engine.discardProcesses(id)
        let updated = try update(id) { container in
            container.reason = error.message
            guard hasRun else {
                container.phase = .created
                return
            }
            container.phase = .exited(code: 127)
            container.finishedAt = isAskedFor(container, since: begun) ? begun : now
            container.failures += 1
        }
        guard let updated else { return }
        platform.events.record("container.start-failed", updated.name, of: name, ["reason": error.message])
        // Nobody who wants it gone needs to know that it did not start.
        if !hasRun, updated.isOneOff == true || isWanted(updated) { throw error }
    }

    /// Whether somebody has asked for the container's service since then. What was begun before and went wrong counts as having
    /// ended before, so that they get a start of their own, whatever the restart policy says.
    func isAskedFor(_ container: ContainerRecord, since begun: Timestamp) -> Bool {
        guard let desired = record?.desired, let service = desired.service(container.replica.service) else { return false }
        return desired.requestTime(of: service) > begun
    }

    func stop(_ id: ContainerID, because reason: Reason) async throws {
        guard let container = containers[id], let processes = container.processes else { return }
        let subject = title(container.replica)
        emit(subject, .working, "Stopping", reason: reason == .goingDown || reason == .requested ? nil : reason.description)
        probes.removeValue(forKey: id)?.cancel()
        let grace = stopTimeout ?? recipes[VersionID(container.replica)]?.service.stopGracePeriod ?? .seconds(10)
        stopping.insert(id)
        defer {
            stopping.remove(id)
            ailing[id] = nil
        }
        if reason == .unhealthy {
            ailing[id] = now
            try update(id) { $0.endedUnhealthy = true }
        }
        if container.isPaused == true { try await resume(id) }
        await runPreStop(container, grace: grace)
        try await platform.engine.stop(processes, signal: stopSignal ?? container.stopSignal, grace: grace)
        await exits[id]?.value
        emit(subject, .done, "Stopped")
    }

    func remove(_ id: ContainerID, because reason: Reason) async throws {
        guard let container = containers[id] else { return }
        let subject = title(container.replica)
        emit(subject, .working, "Removing")
        if container.startedAt == nil {
            try await platform.engine.discard(id)  // what was to start it may be there still
        } else {
            try await platform.engine.remove(id)
        }
        try platform.store.remove(id)
        containers[id] = nil
        try await publish()
        platform.events.record("container.removed", container.name, of: name, ["reason": reason.description])
        emit(subject, .done, "Removed")
    }

    // MARK: Traffic

    /// Gives the container no new traffic; returns when the host's rules say so.
    func drain(_ id: ContainerID, because reason: Reason) async throws {
        guard let container = try update(id, { $0.drainingSince = now }) else { return }
        emit(title(container.replica), .working, "Draining", reason: reason.description)
        try await publish()
        watchDrains()
    }

    func undrain(_ id: ContainerID) async throws {
        idle.remove(id)
        secluded[id] = nil
        guard let container = try update(id, { $0.drainingSince = nil }) else { return }
        try await publish()
        emit(title(container.replica), .done, "Started", reason: "wanted again")
    }

    // MARK: What a container is made from

    /// The service's limits as far as this kernel can keep them; tells what it can't.
    private func limits(of recipe: Recipe, countsSwap: Bool, title: String) -> ContainerLimits? {
        guard var limits = recipe.limits(countsSwap: countsSwap) else { return nil }
        for missing in KernelLimits.settle(&limits, on: platform.engine.facts.cgroups, exists: KernelLimits.exists) {
            emit(
                title, .warning, "Without \(missing.attribute)",
                reason: "\(missing.reason); remove the line, or boot the host otherwise")
        }
        return limits == ContainerLimits() ? nil : limits
    }

    func recipe(of replica: ReplicaID) throws(EscaleError) -> Recipe {
        guard let recipe = recipes[VersionID(replica)] else {
            throw EscaleError(
                .init("image.not-found"), "the image of service \(replica.service) is no longer there",
                hint: "bring the project up again: `escale up -d`")
        }
        return recipe
    }
}

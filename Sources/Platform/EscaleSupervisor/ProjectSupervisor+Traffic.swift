import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleNetlink
import EscalePlan
import EscaleRelease
import EscaleSystem
import Glibc

/// Connections: who listens, who has become idle, and what the requests say.
extension ProjectSupervisor {
    // MARK: Listening

    /// Asks a container that nothing checks whether its port takes connections, until it does.
    func awaitListening(_ id: ContainerID, _ port: UInt16) async {
        var pause = Duration.milliseconds(10)
        while !Task.isCancelled {
            guard let container = containers[id], container.processes != nil, container.isListening == false,
                let address = container.addresses.first?.address
            else { return }
            let answers = (try? await blocking { [host = platform.network.controller] in try host.answers(address, port) }) ?? false
            if answers, await listens(id) { return }
            // A cancelled check ends here.
            guard (try? await Task.sleep(for: pause)) != nil else { return }
            pause = min(pause * 2, .milliseconds(250))
            if isDeaf(container) { converge() }
        }
    }

    /// - Returns: whether it could be kept.
    private func listens(_ id: ContainerID) async -> Bool {
        do {
            try update(id) { container in
                guard container.processes != nil else { return }
                container.isListening = true
                container.readySince = container.isReady ? now : nil
            }
        } catch {
            platform.log.error("that a container listens can't be kept", ["error": "\(error)"])
            return false
        }
        await publishChange()
        converge()
        return true
    }

    // MARK: Draining

    /// Looks at the connections of draining containers until none is left that drains.
    func watchDrains() {
        guard drainWatch == nil else { return }
        drainWatch = Task {
            while !draining.isEmpty {
                // Nobody cancels it; it ends with the last draining container.
                try? await Task.sleep(for: .milliseconds(50))
                await lookAtDrains()
            }
            drainWatch = nil
        }
    }

    /// Whether a replica is on its way out; one that a release keeps warm is not.
    var isDraining: Bool { containers.values.contains { $0.drainingSince != nil && $0.processes != nil } }

    /// Those that still have to become idle.
    private var draining: [ContainerRecord] {
        containers.values.filter { $0.drainingSince != nil && $0.processes != nil && !idle.contains($0.id) }
    }

    /// From when the rules hold: a connection that was on its way when they changed is in the kernel's books by then.
    private static let shortestDrain = Duration.milliseconds(100)

    private func lookAtDrains() async {
        let now = ContinuousClock.now
        let due = draining.filter { now - (secluded[$0.id] ?? now) >= Self.shortestDrain }
        guard !due.isEmpty else { return }
        do {
            let open = try await platform.network.connections(of: due)
            for container in due where open[container.id] == 0 { idle.insert(container.id) }
            if due.contains(where: { idle.contains($0.id) }) { converge() }
        } catch {
            // The limit ends the drain all the same.
            platform.log.warning("connections can't be counted", ["error": "\(error)"])
        }
    }
}

extension ContainerRecord {
    /// As the traffic sees it.
    func candidate(newGeneration: Int?) -> TrafficShare.Candidate {
        TrafficShare.Candidate(
            container: id, isNew: replica.generation == newGeneration, isRunning: processes != nil,
            isStarting: health == .starting || isListening == false, isReady: isReady, isLeaving: drainingSince != nil)
    }
}

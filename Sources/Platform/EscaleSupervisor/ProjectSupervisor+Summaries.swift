import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleOCI
import EscalePlan
import EscaleSystem

/// What the outside sees of a project.
extension ProjectSupervisor {
    /// Makes the recipes again from the images that the containers were made from.
    ///
    /// A service whose image is gone keeps its containers; that it can't get new ones shows when it needs them.
    func restoreRecipes() {
        guard let record else { return }
        for service in record.desired.services {
            guard let imageID = record.images[service.name], let spec = record.project.service(service.name) else { continue }
            recipes[VersionID(service: service.name, generation: service.generation)] = try? recipe(
                spec, record.project, imageID: imageID, renewal: record.renewals?[service.name])
        }
        for version in versionsInUse where recipes[version] == nil {
            guard let origin = kept[version.generation], let imageID = origin.images[version.service],
                let spec = origin.project.service(version.service)
            else { continue }
            recipes[version] = try? recipe(
                spec, origin.project, imageID: imageID, renewal: record.renewals?[version.service])
        }
    }

    var summary: ProjectSummary? {
        guard exists else { return nil }
        return ProjectSummary(
            name: name, files: lastKnown?.files ?? [], containers: containers.count + unreadable.count { $0.kind == .container },
            running: containers.values.filter { $0.processes != nil }.count, failure: failure?.message)
    }

    var containerSummaries: [ContainerSummary] {
        containers.values.map { summary($0) }.sorted { ($0.service, $0.slot) < ($1.service, $1.slot) }
    }

    /// The running container of a slot; of two versions' the newer one's that is ready.
    func runningContainer(_ service: ServiceName, slot: Int) -> ContainerRecord? {
        containers.values.filter { $0.replica.service == service && $0.replica.slot == slot && $0.processes != nil }
            .max { ($0.isReady ? 1 : 0, $0.replica.generation) < ($1.isReady ? 1 : 0, $1.replica.generation) }
    }

    private func summary(_ container: ContainerRecord) -> ContainerSummary {
        let (state, exitCode): (ContainerSummary.State, Int32?) =
            switch container.phase {
            case .created, .starting: (.created, nil)
            case .running: (container.isPaused == true ? .paused : stopping.contains(container.id) ? .stopping : .running, nil)
            case .exited(let code): (isRestarting(container, code) ? .restarting : .exited, code)
            }
        let health: ContainerSummary.Health? =
            switch container.health {
            case .starting: .starting
            case .healthy: .healthy
            case .unhealthy: .unhealthy
            case nil: nil
            }
        var summary = ContainerSummary(
            id: container.id, name: container.name, project: name, service: container.replica.service,
            slot: container.replica.slot, generation: container.replica.generation, image: container.image, imageID: container.imageID.description,
            command: container.blueprint.spec.arguments, state: state, health: health,
            pid: container.processes?.container.pid, exitCode: exitCode, reason: container.reason,
            restarts: container.restarts, createdAt: platform.clock.wall(container.createdAt),
            startedAt: container.startedAt.map(platform.clock.wall), finishedAt: container.finishedAt.map(platform.clock.wall),
            ports: container.ports.compactMap { port in
                port.hostPort.map {
                    .init(
                        hostAddress: port.hostAddress, hostPort: $0, containerPort: port.containerPort,
                        transport: port.transport)
                }
            },
            addresses: Dictionary(
                container.addresses.map { ($0.network.rawValue, "\($0.address)") }, uniquingKeysWith: { $1 }))
        let ipv6 = container.addresses.compactMap { own in own.ipv6.map { (own.network.rawValue, "\($0)") } }
        summary.ipv6Addresses = ipv6.isEmpty ? nil : Dictionary(ipv6, uniquingKeysWith: { $1 })
        summary.isOneOff = container.isOneOff
        summary.failures = isCrashing(container) ? container.failures : nil
        return summary
    }

    /// Whether its quick ends still say something: until it has run for a while.
    private func isCrashing(_ container: ContainerRecord) -> Bool {
        guard container.failures > 0, container.wasStopped != true else { return false }
        guard container.processes != nil, let startedAt = container.startedAt else { return true }
        return now - startedAt < RestartDelay.stableAfter
    }

    private func isRestarting(_ container: ContainerRecord, _ code: Int32) -> Bool {
        guard container.wasStopped != true, container.isOneOff != true, let desired = record?.desired,
            desired.goal == .up, let service = desired.service(container.replica.service), service.hold == nil
        else { return false }
        return container.replica.generation == service.generation && RestartDelay.applies(service.restart, code: code, failures: container.failures, endedWithHost: container.endedWithHost ?? false)
    }
}

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
        for service in record.project.services {
            guard let imageID = record.images[service.name] else { continue }
            recipes[service.name] = try? recipe(service, record.project, imageID: imageID)
        }
    }

    var summary: ProjectSummary? {
        guard let record else { return nil }
        return ProjectSummary(
            name: name, files: record.project.files, containers: containers.count,
            running: containers.values.filter { $0.processes != nil }.count)
    }

    var containerSummaries: [ContainerSummary] {
        containers.values.map { summary($0) }.sorted { ($0.service, $0.slot) < ($1.service, $1.slot) }
    }

    func runningContainer(_ replica: ReplicaID) -> ContainerRecord? {
        containers.values.first { $0.replica == replica && $0.processes != nil }
    }

    private func summary(_ container: ContainerRecord) -> ContainerSummary {
        let (state, exitCode): (ContainerSummary.State, Int32?) =
            switch container.phase {
            case .created, .starting: (.created, nil)
            case .running: (.running, nil)
            case .exited(let code): (isRestarting(container, code) ? .restarting : .exited, code)
            }
        let health: ContainerSummary.Health? =
            switch container.health {
            case .starting: .starting
            case .healthy: .healthy
            case .unhealthy: .unhealthy
            case nil: nil
            }
        return ContainerSummary(
            id: container.id, name: container.name, project: name, service: container.replica.service,
            slot: container.replica.slot, image: container.image, imageID: container.imageID.description,
            command: container.blueprint.spec.arguments, state: state, health: health,
            pid: container.processes?.container.pid, exitCode: exitCode, reason: container.reason,
            restarts: container.restarts, createdAt: container.createdAt, startedAt: container.startedAt,
            finishedAt: container.finishedAt,
            ports: container.ports.compactMap { port in
                port.hostPort.map {
                    .init(
                        hostAddress: port.hostAddress, hostPort: $0, containerPort: port.containerPort,
                        transport: port.transport)
                }
            },
            addresses: Dictionary(
                container.addresses.map { ($0.network.rawValue, "\($0.address)") }, uniquingKeysWith: { $1 }))
    }

    private func isRestarting(_ container: ContainerRecord, _ code: Int32) -> Bool {
        guard container.wasStopped != true, let desired = record?.desired, desired.goal == .up,
            let service = desired.service(container.replica.service)
        else { return false }
        return RestartDelay.applies(service.restart, code: code, failures: container.failures)
    }
}

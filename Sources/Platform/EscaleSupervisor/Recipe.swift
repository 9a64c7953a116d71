import EscaleCompose
import EscaleCore
import EscaleCrypto
import EscaleOCI
import EscalePlan
import FoundationEssentials

/// A service with its image: what its containers are made from. Pure.
struct Recipe: Sendable {
    let service: Service
    let project: Project
    let imageName: String
    let imageID: Digest
    let image: ImageDefaults
    /// What its anonymous volumes were last renewed by; `nil` where they never were.
    var renewal: String?

    // MARK: What the planner needs

    var desired: DesiredService {
        get throws {
            var desired = DesiredService(
                name: service.name, replicas: service.replicas, fingerprint: try fingerprint(),
                dependencies: service.dependencies, restart: service.restart, isChecked: probe != nil)
            desired.drain = service.release.drain
            desired.isExclusive = service.excludesOtherVersions && service.update?.order != .startFirst ? true : nil
            desired.restartsUnhealthy = probe != nil && service.onUnhealthy != .ignore
            return desired
        }
    }

    /// Changes exactly when a container made from this would be another one.
    ///
    /// What the daemon applies without a new container is left out: how many there are, what they wait for, when they
    /// are restarted and how long they may take to stop.
    private func fingerprint() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let networks = project.networks(of: [service])
        let volumes = project.volumes(of: [service])
        let secrets = project.secrets.filter { secret in service.secrets.contains { $0.source == secret.key } }
        var text = try encoder.encode(shape) + encoder.encode(networks)
        text += try encoder.encode(volumes) + encoder.encode(secrets)
        let configs = project.configs?.filter { config in service.configs?.contains { $0.source == config.key } == true }
        if let configs, !configs.isEmpty { text += try encoder.encode(configs) }
        let lenders = project.services.filter { other in service.volumesFrom?.contains { $0.owner == .service(other.name) } == true }
        if !lenders.isEmpty { text += try encoder.encode(lenders.map(\.mounts)) }
        return SHA256.digest(of: Array(text) + Array(imageID.hex.utf8)).hex
    }

    /// The service without what the daemon applies to containers that are there.
    var shape: Service {
        var shape = service
        shape.replicas = 0
        shape.dependencies = []
        shape.restart = .no
        shape.stopGracePeriod = nil
        shape.build = nil
        shape.update = nil
        shape.rollback = nil
        shape.release = ReleaseSettings()
        shape.http = nil
        shape.deploy = nil
        shape.imageSettings = nil
        shape.develop = nil
        shape.isAttached = nil
        shape.onUnhealthy = nil
        return shape
    }

    // MARK: Health

    /// How a container is checked.
    enum Probe: Hashable, Sendable {
        /// By a command in it.
        case command([String])
        /// By the daemon, over the network.
        case network(ServiceProbe)
    }

    /// How a container is checked, if it is: as the service says, else as the image does.
    var probe: Probe? {
        if let probe = service.probe { return .network(probe) }
        let own = service.healthcheck?.test.map { test -> [String]? in
            switch test {
            case .none: nil
            case .exec(let arguments): arguments
            case .shell(let text): shell + [text]
            }
        }
        if let own { return own.map(Probe.command) }
        guard let test = image.healthcheck?.test else { return nil }
        switch test {
        case .none: return nil
        case .exec(let arguments): return .command(arguments)
        case .shell(let text): return .command(shell + [text])
        }
    }

    private var shell: [String] { image.shell ?? ["/bin/sh", "-c"] }

    var health: HealthMonitor.Settings {
        let own = service.healthcheck
        let other = image.healthcheck
        return HealthMonitor.Settings(
            interval: own?.interval ?? other?.interval, timeout: own?.timeout ?? other?.timeout,
            retries: own?.retries ?? other?.retries, startPeriod: own?.startPeriod ?? other?.startPeriod,
            startInterval: own?.startInterval ?? other?.startInterval)
    }

    /// The port that says whether a container that nothing checks is ready; `nil` where it has none, or is checked.
    var listeningPort: UInt16? {
        guard probe == nil else { return nil }
        return service.http?.containerPort ?? service.ports.first { $0.transport == .tcp }?.containerPort
    }

    // MARK: The process

    /// Entrypoint and command as Docker combines them.
    func arguments() throws(EscaleError) -> [String] {
        let arguments =
            if let entrypoint = service.entrypoint {
                entrypoint + (service.command ?? [])
            } else {
                (image.entrypoint ?? []) + (service.command ?? image.command ?? [])
            }
        guard !arguments.isEmpty else {
            throw EscaleError(
                .init("container.no-command"), "service \(service.name): neither it nor its image \(imageName) has a command",
                hint: "give the service a `command`, or the Dockerfile a CMD")
        }
        return arguments
    }

    func environment(home: String, hostname: String) -> [String: String] {
        var environment = [
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "HOSTNAME": hostname,
        ]
        if service.tty { environment["TERM"] = "xterm" }
        environment.merge(image.environmentByName) { $1 }
        environment.merge(service.environment) { $1 }
        return environment
    }

    func stopSignal() throws(EscaleError) -> Int32 {
        try Signals.number(service.stopSignal ?? image.stopSignal ?? "SIGTERM")
    }

    // MARK: Mounts

    /// The service's mounts, and an anonymous volume for each place that the image declares and nothing else covers.
    var mounts: [Mount] {
        let covered = Set(service.mounts.map(\.target))
        return service.mounts
            + image.volumes.sorted().filter { !covered.contains($0) }.map { Mount(.anonymous, target: $0) }
    }

    /// The secrets and configs that the service sees, each with its place.
    var sharedFiles: [(file: SharedFile, mount: SharedFileMount)] {
        func pairs(_ mounts: [SharedFileMount], _ files: [SharedFile]) -> [(file: SharedFile, mount: SharedFileMount)] {
            mounts.compactMap { mount in files.first { $0.key == mount.source }.map { ($0, mount) } }
        }
        return pairs(service.secrets, project.secrets) + pairs(service.configs ?? [], project.configs ?? [])
    }

    /// The volume of a mount; `nil` where it is no volume. An anonymous one belongs to the replica's slot.
    func volume(of mount: Mount, slot: Int) -> VolumeName? {
        switch mount.source {
        case .bind, .tmpfs, .image, .cluster, .pipe: return nil
        case .volume(let key): return project.volumes.first { $0.key == key }?.name
        case .anonymous:
            let digest = SHA256.digest(ofText: mount.target + (renewal ?? "")).hex.prefix(8)
            return VolumeName(rawValue: "\(project.name)_\(service.name)-\(slot)_\(digest)")
        }
    }
}

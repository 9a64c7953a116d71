package import EscaleCore

/// An application as its compose files describe it: resolved, interpolated, normalised, checked.
///
/// Every reference holds (each service's networks, volumes and secrets exist here), names are final, paths are
/// absolute. It is what the command line sends to the daemon.
package struct Project: Codable, Hashable, Sendable {
    package var name: ProjectName
    /// The directory that relative paths were resolved against.
    package var workingDirectory: String
    /// The compose files, absolute.
    package var files: [String]
    /// By name.
    package var services: [Service]
    package var networks: [Network]
    package var volumes: [Volume]
    package var secrets: [SharedFile]
    package var configs: [SharedFile]?
    package var models: [LanguageModel]?
    /// How many releases are kept to go back to: `x-escale.release.keep` at the top of the file.
    package var keptReleases = 10
    /// The registry that this host serves its images with: `x-escale.registry` at the top of the file.
    package var registry: RegistryOptions?
    /// Services that somebody else runs: `x-escale.external` at the top of the file. By name.
    package var external: [ExternalService]?
    /// Services that are left out since none of their profiles is active; `nil` for none. By name.
    package var disabledServices: [ServiceName]?

    package init(
        name: ProjectName,
        workingDirectory: String,
        files: [String] = [],
        services: [Service] = [],
        networks: [Network] = [],
        volumes: [Volume] = [],
        secrets: [SharedFile] = []
    ) {
        self.name = name
        self.workingDirectory = workingDirectory
        self.files = files
        self.services = services
        self.networks = networks
        self.volumes = volumes
        self.secrets = secrets
    }

    package func service(_ name: ServiceName) -> Service? { services.first { $0.name == name } }

    /// The networks that the services are on.
    package func networks(of services: [Service]) -> [Network] {
        let keys = Set(services.flatMap { $0.networks.map(\.network) })
        return networks.filter { keys.contains($0.key) }
    }

    /// The named volumes that the services mount.
    package func volumes(of services: [Service]) -> [Volume] {
        let sources = Set(services.flatMap { $0.mounts.map(\.source) })
        return volumes.filter { sources.contains(.volume(key: $0.key)) }
    }

    /// The services and, in turn, all that they depend on; every service for none. Unknown names are left out.
    package func closure(of names: [ServiceName]) -> Set<ServiceName> {
        guard !names.isEmpty else { return Set(services.map(\.name)) }
        var found = Set<ServiceName>()
        var queue = names
        while let name = queue.popLast() {
            guard let service = service(name), found.insert(name).inserted else { continue }
            queue += service.dependencies.map(\.service)
        }
        return found
    }
}

/// One service: what to run, how often, and what it needs.
package struct Service: Codable, Hashable, Sendable {
    package var name: ServiceName
    /// The image as written; with `build` and no `image`, `nil`: see ``imageName(in:)``.
    package var image: String?
    package var build: Build?
    /// Replaces the image's command; an empty list clears it.
    package var command: [String]?
    /// Replaces the image's entrypoint and clears its command; an empty list clears it.
    package var entrypoint: [String]?
    package var environment: [String: String] = [:]
    package var labels: [String: String] = [:]
    package var ports: [PortMapping] = []
    package var mounts: [Mount] = []
    /// At least one, the project's `default` where the file names none; none where ``ServiceNamespaces/network`` is set.
    package var networks: [NetworkAttachment] = []
    package var dependencies: [Dependency] = []
    package var healthcheck: Healthcheck?
    package var restart: RestartPolicy = .no
    package var user: String?
    package var workingDirectory: String?
    package var containerName: String?
    package var hostname: String?
    package var replicas: Int = 1
    /// A name with or without `SIG`, or a number.
    package var stopSignal: String?
    package var stopGracePeriod: Duration?
    package var readOnly: Bool = false
    /// Whether a small init reaps zombies and passes signals on.
    package var useInit: Bool = false
    package var tty: Bool = false
    package var stdinOpen: Bool = false
    package var addedCapabilities: [String] = []
    package var droppedCapabilities: [String] = []
    package var secrets: [SharedFileMount] = []
    /// Here and below, `nil` is what the file says nothing about; so it is in records of older versions too.
    package var configs: [SharedFileMount]?
    package var resources: ServiceResources?
    package var deploy: DeploySettings?
    package var devices: ServiceDevices?
    package var security: ServiceSecurity?
    package var namespaces: ServiceNamespaces?
    package var names: ServiceNames?
    package var imageSettings: ImageSettings?
    package var logging: LoggingSettings?
    package var hooks: ServiceHooks?
    package var develop: DevelopSettings?
    package var provider: ServiceProvider?
    package var models: [ModelUse]?
    package var volumesFrom: [VolumesSource]?
    package var annotations: [String: String]?
    /// Ports and ranges, such as `8080` or `8080-8082/udp`.
    package var exposed: [String]?
    /// Whether `up` shows the output.
    package var isAttached: Bool?
    /// `deploy.update_config`; `nil` where the file has none.
    package var update: UpdateConfig?
    /// `deploy.rollback_config`; `nil` where the file has none.
    package var rollback: UpdateConfig?
    /// `x-escale.release`; the defaults where the file has none.
    package var release = ReleaseSettings()
    /// `x-escale.http`; `nil` where the file has none.
    package var http: HTTPSettings?
    /// `x-escale.probe`; `nil` where the file has none.
    package var probe: ServiceProbe?
    /// `x-escale.on_unhealthy`; `nil` where the file says nothing, which means restart.
    package var onUnhealthy: UnhealthyAction?
    /// `x-escale.autoscale`; only a cluster goes by it.
    package var autoscale: Autoscale?
    /// `x-escale.schedule`: when it runs, as cron(8) writes it; only a cluster goes by it.
    package var schedule: String?
    /// Any of them being active makes the service part of the project; `nil` for a service that always is.
    package var profiles: [String]?

    package init(name: ServiceName) { self.name = name }

    /// The image that containers run: as named, or `project-service` for one that is built without a name.
    package func imageName(in project: ProjectName) -> String { image ?? "\(project)-\(name)" }
}

/// Where an image comes from, other than a registry.
package struct Build: Codable, Hashable, Sendable {
    /// Absolute.
    package var context: String
    /// Absolute; `nil` for the context's `Dockerfile`.
    package var dockerfile: String?
    package var arguments: [String: String] = [:]
    package var target: String?
    package var options: BuildOptions?

    package init(context: String) { self.context = context }
}

/// A port published on the host. Ranges are spread to one mapping each.
package struct PortMapping: Codable, Hashable, Sendable {
    package enum Transport: String, Codable, Sendable { case tcp, udp }

    /// The address to listen on; `nil` for all.
    package var hostAddress: String?
    /// `nil` for any free one.
    package var hostPort: UInt16?
    /// The end of a range of host ports to choose a free one from; `nil` for just ``hostPort``.
    package var lastHostPort: UInt16?
    package var containerPort: UInt16
    package var transport: Transport
    /// What the file calls the mapping; for people only.
    package var name: String?
    /// Served by the gateway where it is set; by address translation where it is `nil`.
    package var applicationProtocol: ApplicationProtocol?
    /// `mode: host`: each replica publishes it for itself.
    package var isOfHost: Bool?

    /// Whether it is at an IPv6 address, where nothing is published.
    package var isOfIPv6: Bool { hostAddress?.contains(":") ?? false }

    package init(
        hostAddress: String? = nil,
        hostPort: UInt16?,
        containerPort: UInt16,
        transport: Transport = .tcp
    ) {
        self.hostAddress = hostAddress
        self.hostPort = hostPort
        self.containerPort = containerPort
        self.transport = transport
    }
}

/// Something mounted into the container's file system.
package struct Mount: Codable, Hashable, Sendable {
    package enum Source: Codable, Hashable, Sendable {
        /// An absolute path on the host; `create` makes a missing directory, as the short form does.
        case bind(path: String, create: Bool)
        /// A volume of the project, by its key in the file.
        case volume(key: String)
        /// A volume of the container's own that lives as long as it does (`- /data`).
        case anonymous
        case tmpfs(size: ByteCount?, mode: UInt32?)
        /// The files of an image, by its name.
        case image(String)
        /// A volume of a cluster.
        case cluster(String)
        /// A named pipe of Windows.
        case pipe(String)
    }

    package var source: Source
    /// Absolute, inside the container.
    package var target: String
    package var readOnly: Bool
    package var options: MountOptions?
    /// What the file says, where it says it in a service's `tmpfs` rather than in its `volumes`.
    package var tmpfsItem: String?

    package init(_ source: Source, target: String, readOnly: Bool = false) {
        self.source = source
        self.target = target
        self.readOnly = readOnly
    }
}

/// A service's place on a network.
package struct NetworkAttachment: Codable, Hashable, Sendable {
    /// The network's key in the file.
    package var network: String
    /// Names besides the service's own.
    package var aliases: [String]
    package var options: AttachmentOptions?

    package init(network: String, aliases: [String] = []) {
        self.network = network
        self.aliases = aliases
    }
}

/// What must hold of another service before this one starts.
package struct Dependency: Codable, Hashable, Sendable {
    package enum Condition: String, Codable, Sendable {
        case started = "service_started"
        case healthy = "service_healthy"
        case completed = "service_completed_successfully"
    }

    package var service: ServiceName
    package var condition: Condition
    /// Whether a restart of the other one by a command restarts this one too.
    package var restart: Bool
    /// Whether it matters that the other one is missing or fails.
    package var required: Bool

    package init(
        _ service: ServiceName,
        condition: Condition = .started,
        restart: Bool = false,
        required: Bool = true
    ) {
        self.service = service
        self.condition = condition
        self.restart = restart
        self.required = required
    }
}

/// How to tell whether a container does its work. What is `nil` comes from the image, else from Docker's defaults.
package struct Healthcheck: Codable, Hashable, Sendable {
    package enum Test: Codable, Hashable, Sendable {
        /// `NONE` or `disable: true`: no check, also where the image has one.
        case none
        case exec([String])
        case shell(String)
    }

    package var test: Test?
    package var interval: Duration?
    package var timeout: Duration?
    package var retries: Int?
    package var startPeriod: Duration?
    package var startInterval: Duration?

    package init(test: Test? = nil) { self.test = test }
}

/// When a container that ended is started again.
package enum RestartPolicy: Codable, Hashable, Sendable {
    case no
    case always
    case unlessStopped
    /// After a non-zero exit; `retries` bounds how often in a row.
    case onFailure(retries: Int?)
}

/// A network of the project.
package struct Network: Codable, Hashable, Sendable {
    /// The key in the file.
    package var key: String
    /// The name on the host: `project_key`, or as given.
    package var name: NetworkName
    /// No way out of it.
    package var isInternal: Bool
    /// Made by somebody else, and neither made nor removed here.
    package var isExternal: Bool
    package var labels: [String: String]
    package var options: NetworkOptions?

    package init(
        key: String,
        name: NetworkName,
        isInternal: Bool = false,
        isExternal: Bool = false,
        labels: [String: String] = [:]
    ) {
        self.key = key
        self.name = name
        self.isInternal = isInternal
        self.isExternal = isExternal
        self.labels = labels
    }
}

/// A named volume of the project.
package struct Volume: Codable, Hashable, Sendable {
    package var key: String
    /// The name on the host: `project_key`, or as given.
    package var name: VolumeName
    package var isExternal: Bool
    package var labels: [String: String]
    package var options: VolumeOptions?
    /// `x-escale.size`; only a cluster goes by it.
    package var size: ByteCount?

    package init(key: String, name: VolumeName, isExternal: Bool = false, labels: [String: String] = [:]) {
        self.key = key
        self.name = name
        self.isExternal = isExternal
        self.labels = labels
    }
}

import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleNetlink
import EscaleNetwork
import EscaleOCI
import EscalePlan
import EscaleSystem
import FoundationEssentials

extension ProjectSupervisor {
    /// A container as `docker inspect` shows it.
    func inspection(of container: ContainerRecord) async throws -> [UInt8] {
        let recipe = recipes[VersionID(container.replica)]
        let networks = await platform.network.places(of: container)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .withoutEscapingSlashes]
        return Array(
            try encoder.encode(Inspection(container, recipe, networks, platform.clock, log: platform.engine.directories.state)))
    }
}

/// The property names and shapes are Docker's (API 1.43); what has no meaning here is left out.
private struct Inspection: Encodable {
    struct Condition: Encodable {
        struct Health: Encodable {
            let Status: String
        }

        let Status: String
        let Running: Bool
        let Paused: Bool
        let Restarting = false
        let OOMKilled: Bool
        let Dead = false
        let Pid: Int32
        let ExitCode: Int32
        let Error: String
        let StartedAt: String
        let FinishedAt: String
        let Health: Health?
    }

    struct Policy: Encodable {
        let Name: String
        let MaximumRetryCount: Int
    }

    struct Binding: Encodable {
        let HostIp: String
        let HostPort: String
    }

    struct HostSettings: Encodable {
        let Binds: [String]
        let NetworkMode: String
        let PortBindings: [String: [Binding]]
        let RestartPolicy: Policy
        let AutoRemove: Bool
        let CapAdd: [String]
        let CapDrop: [String]
        let Privileged: Bool
        let ReadonlyRootfs: Bool
        let Memory: Int64
        let MemoryReservation: Int64
        let NanoCpus: Int64
        let CpuShares: UInt64
        let CpusetCpus: String
        let PidsLimit: Int64?
        let ShmSize: Int64
        let Init: Bool
    }

    struct Mount: Encodable {
        let `Type`: String
        let Name: String?
        let Source: String
        let Destination: String
        let RW: Bool
    }

    struct Settings: Encodable {
        let Hostname: String
        let Domainname: String
        let User: String
        let Tty: Bool
        let OpenStdin: Bool
        let Env: [String]
        let Cmd: [String]?
        let Entrypoint: [String]?
        let Image: String
        let WorkingDir: String
        let Labels: [String: String]
        let StopSignal: String
    }

    struct Endpoint: Encodable {
        let IPAddress: String
        let IPv6Gateway: String
        let GlobalIPv6Address: String
        let GlobalIPv6PrefixLen: Int
        let Aliases: [String]
    }

    struct Networking: Encodable {
        let Ports: [String: [Binding]]
        let Networks: [String: Endpoint]
    }

    let Id: String
    let Created: String
    let Path: String
    let Args: [String]
    let State: Condition
    let Image: String
    let LogPath: String
    let Name: String
    let RestartCount: Int
    let Driver = "overlay2"
    let Platform = "linux"
    let HostConfig: HostSettings
    let Mounts: [Mount]
    let Config: Settings
    let NetworkSettings: Networking

    private static let never = "0001-01-01T00:00:00Z"

    init(
        _ container: ContainerRecord, _ recipe: Recipe?, _ networks: [AttachedNetwork], _ clock: SteadyClock, log state: String
    ) {
        let spec = container.blueprint.spec
        let service = recipe?.service
        Id = container.id.rawValue
        Created = clock.wall(container.createdAt).description
        Path = spec.arguments.first ?? ""
        Args = Array(spec.arguments.dropFirst())
        State = Self.state(container, clock)
        Image = container.imageID.description
        LogPath = "\(state)/containers/\(container.id)/log"
        Name = "/\(container.name)"
        RestartCount = container.restarts
        let ports = Self.bindings(container)
        let mounts = Self.mounts(spec, recipe, container)
        Mounts = mounts
        HostConfig = HostSettings(
            Binds: mounts.map { "\($0.Name ?? $0.Source):\($0.Destination)\($0.RW ? "" : ":ro")" },
            NetworkMode: container.addresses.first?.network.rawValue ?? "none", PortBindings: ports,
            RestartPolicy: Self.policy(service?.restart ?? .no), AutoRemove: container.isRemovedAtExit == true,
            CapAdd: service?.addedCapabilities ?? [], CapDrop: service?.droppedCapabilities ?? [],
            Privileged: service?.security?.isPrivileged == true, ReadonlyRootfs: spec.readOnlyRoot,
            Memory: spec.limits?.memory?.rawValue ?? 0, MemoryReservation: spec.limits?.memoryReservation?.rawValue ?? 0,
            NanoCpus: Self.nanoCPUs(spec.limits),
            CpuShares: spec.limits?.cpuShares ?? 0, CpusetCpus: spec.limits?.cpuset ?? "",
            PidsLimit: spec.limits?.processes.map { Int64($0) }, ShmSize: spec.limits?.sharedMemory?.rawValue ?? 64 << 20,
            Init: spec.initProgram != nil)
        Config = Self.config(container, spec, service, recipe)
        let names = [container.replica.service.rawValue, container.id.short]
        NetworkSettings = Networking(
            Ports: ports,
            Networks: Dictionary(
                container.addresses.map { own in
                    (own.network.rawValue, Self.endpoint(own, networks.first { $0.name == own.network }?.ipv6, names))
                },
                uniquingKeysWith: { first, _ in first }))
    }

    /// What there is not of IPv6 is empty, as in Docker.
    private static func endpoint(
        _ own: ContainerRecord.NetworkAddress, _ ipv6: AttachedNetwork.IPv6Place?, _ names: [String]
    ) -> Endpoint {
        Endpoint(
            IPAddress: "\(own.address)", IPv6Gateway: own.ipv6.flatMap { _ in ipv6.map { "\($0.gateway)" } } ?? "",
            GlobalIPv6Address: own.ipv6.map { "\($0)" } ?? "",
            GlobalIPv6PrefixLen: own.ipv6.flatMap { _ in ipv6?.subnet.prefixLength } ?? 0, Aliases: names)
    }

    private static func nanoCPUs(_ limits: ContainerLimits?) -> Int64 {
        guard let quota = limits?.cpuQuota else { return 0 }
        return quota.multipliedReportingOverflow(by: 1_000_000_000).partialValue / Int64(max(limits?.cpuPeriod ?? 100_000, 1))
    }

    private static func state(_ container: ContainerRecord, _ clock: SteadyClock) -> Condition {
        let (status, code): (String, Int32) =
            switch container.phase {
            case .created, .starting: ("created", 0)
            case .running: (container.isPaused == true ? "paused" : "running", 0)
            case .exited(let code): ("exited", code)
            }
        return Condition(
            Status: status, Running: container.processes != nil, Paused: container.isPaused == true,
            OOMKilled: container.reason == ContainerRecord.outOfMemory, Pid: container.processes?.container.pid ?? 0, ExitCode: code,
            Error: container.processes == nil && container.startedAt == nil ? container.reason ?? "" : "",
            StartedAt: container.startedAt.map(clock.wall)?.description ?? never,
            FinishedAt: container.finishedAt.map(clock.wall)?.description ?? never,
            Health: container.health.map { Condition.Health(Status: $0.rawValue) })
    }

    private static func policy(_ policy: RestartPolicy) -> Policy {
        switch policy {
        case .no: Policy(Name: "no", MaximumRetryCount: 0)
        case .always: Policy(Name: "always", MaximumRetryCount: 0)
        case .unlessStopped: Policy(Name: "unless-stopped", MaximumRetryCount: 0)
        case .onFailure(let retries): Policy(Name: "on-failure", MaximumRetryCount: retries ?? 0)
        }
    }

    private static func bindings(_ container: ContainerRecord) -> [String: [Binding]] {
        var bindings: [String: [Binding]] = [:]
        for port in container.ports {
            guard let hostPort = port.hostPort else { continue }
            bindings["\(port.containerPort)/\(port.transport.rawValue)", default: []].append(
                Binding(HostIp: port.hostAddress ?? "0.0.0.0", HostPort: "\(hostPort)"))
        }
        return bindings
    }

    private static func mounts(_ spec: ContainerSpec, _ recipe: Recipe?, _ container: ContainerRecord) -> [Mount] {
        (recipe?.mounts ?? []).compactMap { mount -> Mount? in
            let place = spec.mounts.first { $0.target == mount.target }
            let source: String =
                if case .bind(let path)? = place?.kind { path } else { "" }
            let kind: String =
                switch mount.source {
                case .bind: "bind"
                case .volume, .anonymous: "volume"
                case .tmpfs: "tmpfs"
                case .image: "image"
                case .cluster, .pipe: "other"
                }
            return Mount(
                Type: kind, Name: recipe?.volume(of: mount, slot: container.replica.slot)?.rawValue, Source: source,
                Destination: mount.target, RW: !mount.readOnly)
        }
    }

    private static func config(
        _ container: ContainerRecord, _ spec: ContainerSpec, _ service: Service?, _ recipe: Recipe?
    ) -> Settings {
        let environment: [String] = spec.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let command: [String]? = service?.command ?? recipe?.image.command
        let entrypoint: [String]? = service?.entrypoint ?? recipe?.image.entrypoint
        return Settings(
            Hostname: spec.hostname, Domainname: service?.names?.domain ?? "",
            User: service?.user ?? recipe?.image.user ?? "", Tty: spec.terminal,
            OpenStdin: container.blueprint.input != nil, Env: environment,
            Cmd: command, Entrypoint: entrypoint,
            Image: container.image, WorkingDir: spec.workingDirectory, Labels: service?.labels ?? [:],
            StopSignal: "\(container.stopSignal)")
    }
}

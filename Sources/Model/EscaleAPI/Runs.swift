package import EscaleCompose
package import EscaleCore

/// Makes a container of a service's that one command is run in, beside the service's replicas.
package struct RunRequest: Codable, Sendable {
    package var project: Project
    /// The service as it shall be this once: with the command, the environment and all else that was given.
    package var service: Service
    /// `nil` for `PROJECT-SERVICE-run-HEX`.
    package var name: String?
    /// Leave alone what the service depends on.
    package var withoutDependencies = false
    /// Whether the service's ports are published.
    package var publishesPorts = false
    /// Whether it gets the service's traffic and names, as a replica does.
    package var usesAliases = false
    /// Whether it goes when it has ended.
    package var isRemovedAtExit = false
    /// Whether its standard input is open.
    package var readsInput = false
    package var build = false
    package var pull: UpRequest.PullMode?
    package var removeOrphans = false
    /// By registry.
    package var credentials: [String: RegistryCredential] = [:]

    package init(project: Project, service: Service) {
        self.project = project
        self.service = service
    }
}

extension ProjectName {
    /// Has the containers that are made without a compose file, each a service of its own. No file can have this name.
    package static let own = ProjectName(rawValue: "_containers")
}

/// Does something to one container, called by its id or name.
package struct ContainerRequest: Codable, Hashable, Sendable {
    package var action: ServicesRequest.Action
    /// Instead of the container's own grace period.
    package var timeout: Duration?
    /// What `kill` sends: a name or a number; `nil` for SIGKILL.
    package var signal: String?
    /// Whether `remove` stops it first.
    package var stopsFirst = false
    /// Whether `remove` takes its anonymous volumes too.
    package var removesVolumes = false

    package init(_ action: ServicesRequest.Action) { self.action = action }
}

/// A container, by which the API and people call it.
package struct ContainerHandle: Codable, Hashable, Sendable {
    package var id: ContainerID
    package var name: String

    package init(id: ContainerID, name: String) {
        self.id = id
        self.name = name
    }

    /// Whether people call it that: by its name, its id, or how that begins.
    package func answers(to text: String) -> Bool {
        name == text || (text.count >= 4 && id.rawValue.hasPrefix(text))
    }
}

/// Where a caller on the same host, as root, finds a container's standard streams.
package struct AttachPlan: Codable, Hashable, Sendable {
    package var container: ContainerHandle
    /// The directory with conmon's `attach` socket and its `ctl` pipe.
    package var directory: String
    package var hasTerminal: Bool
    /// Whether it reads its standard input.
    package var readsInput: Bool

    package init(container: ContainerHandle, directory: String, hasTerminal: Bool, readsInput: Bool) {
        self.container = container
        self.directory = directory
        self.hasTerminal = hasTerminal
        self.readsInput = readsInput
    }
}

/// How a container ended.
package struct ContainerEnd: Codable, Hashable, Sendable {
    package var container: ContainerHandle
    package var exitCode: Int32

    package init(container: ContainerHandle, exitCode: Int32) {
        self.container = container
        self.exitCode = exitCode
    }
}

/// What one container uses at a moment: counters since its start, to be compared with an earlier sample.
package struct ContainerSample: Codable, Hashable, Sendable {
    package var container: ContainerHandle
    package var service: ServiceName
    package var project: ProjectName
    package var at: Timestamp
    /// Processor time, all cores together.
    package var cpu: Duration
    /// Bytes; what the kernel could drop at once is left out, as Docker does.
    package var memory: ByteCount
    /// The container's own limit, else the host's memory.
    package var memoryLimit: ByteCount
    package var received: ByteCount
    package var sent: ByteCount
    package var read: ByteCount
    package var written: ByteCount
    package var processes: Int

    package init(
        container: ContainerHandle, service: ServiceName, project: ProjectName, at: Timestamp, cpu: Duration,
        memory: ByteCount, memoryLimit: ByteCount, received: ByteCount, sent: ByteCount, read: ByteCount,
        written: ByteCount, processes: Int
    ) {
        self.container = container
        self.service = service
        self.project = project
        self.at = at
        self.cpu = cpu
        self.memory = memory
        self.memoryLimit = memoryLimit
        self.received = received
        self.sent = sent
        self.read = read
        self.written = written
        self.processes = processes
    }
}

/// A process of a container, as `escale top` shows it.
package struct ProcessSummary: Codable, Hashable, Sendable {
    /// On the host, as everything here.
    package var pid: Int32
    package var parent: Int32
    package var user: UInt32
    /// Processor time.
    package var time: Duration
    package var command: String

    package init(pid: Int32, parent: Int32, user: UInt32, time: Duration, command: String) {
        self.pid = pid
        self.parent = parent
        self.user = user
        self.time = time
        self.command = command
    }
}

/// Copies files between the host and a running container.
package struct CopyRequest: Codable, Hashable, Sendable {
    /// Absolute, on the host.
    package var hostPath: String
    /// Absolute, in the container.
    package var containerPath: String
    package var isFromContainer: Bool
    package var followsLinks = false
    /// Whether the copies belong to whom the originals belong to, by number; else to root in a container, and to whoever
    /// asked on the host.
    package var keepsOwners = false
    /// Whether directories above the target are made.
    package var makesParents = false

    package init(hostPath: String, containerPath: String, isFromContainer: Bool) {
        self.hostPath = hostPath
        self.containerPath = containerPath
        self.isFromContainer = isFromContainer
    }
}

/// A volume of a project's.
package struct VolumeSummary: Codable, Hashable, Sendable {
    package var name: VolumeName
    package var project: ProjectName?
    package var mountpoint: String
    /// The services whose containers have it mounted.
    package var services: [ServiceName]

    package init(name: VolumeName, project: ProjectName?, mountpoint: String, services: [ServiceName]) {
        self.name = name
        self.project = project
        self.mountpoint = mountpoint
        self.services = services
    }
}

package import EscaleCompose
package import EscaleCore

/// Makes the project as its file says.
package struct UpRequest: Codable, Sendable {
    package var project: Project
    /// Only these and what they depend on; all if empty.
    package var services: [ServiceName]
    /// Return only when everything runs and, where it is checked, is healthy; fail when something ends or is unhealthy.
    package var wait: Bool
    package var waitTimeout: Duration?
    /// Build images that have a `build`, also where they exist.
    package var build: Bool
    package var removeOrphans: Bool
    package var forceRecreate: Bool
    /// Instead of each changed service's own.
    package var strategy: ReleaseSettings.Strategy?
    /// Return when a release of running services has begun, instead of when it is over.
    package var detachFromRelease: Bool
    /// When images are pulled, whatever the file says; `nil` for what it says.
    package var pull: PullMode?
    /// By registry.
    package var credentials: [String: RegistryCredential] = [:]

    /// Only the services asked for, without what they depend on.
    package var withoutDependencies = false
    /// Containers that exist stay as they are, whatever changed.
    package var keepsExisting = false
    /// What the services asked for depend on is recreated too, where ``forceRecreate`` recreates them.
    package var recreatesDependencies = false
    /// Recreated containers get empty anonymous volumes.
    package var renewsAnonymousVolumes = false
    /// Make the containers and start none.
    package var createsOnly = false
    /// Fail where an image is missing, instead of building it.
    package var refusesToBuild = false
    /// Say what would be done, and do nothing.
    package var isDryRun = false

    /// The socket of the user's SSH agent, for builds that ask for it.
    package var agent: String?

    /// The services that it brings up.
    package var wanted: Set<ServiceName> {
        withoutDependencies && !services.isEmpty ? Set(services) : project.closure(of: services)
    }

    package enum PullMode: String, Codable, Sendable, CaseIterable { case always, missing, never }

    package init(
        project: Project, services: [ServiceName] = [], wait: Bool = false, waitTimeout: Duration? = nil,
        build: Bool = false, removeOrphans: Bool = false, forceRecreate: Bool = false,
        strategy: ReleaseSettings.Strategy? = nil, detachFromRelease: Bool = false
    ) {
        self.project = project
        self.services = services
        self.wait = wait
        self.waitTimeout = waitTimeout
        self.build = build
        self.removeOrphans = removeOrphans
        self.forceRecreate = forceRecreate
        self.strategy = strategy
        self.detachFromRelease = detachFromRelease
    }
}

package struct UpResult: Codable, Hashable, Sendable {
    /// Whether anything had to be done.
    package var changed: Bool
    /// Containers of services that the file no longer has; left alone unless asked.
    package var orphans: [String]
    /// The release that was made; `nil` where nothing differed.
    package var release: ReleaseSummary?

    package init(changed: Bool, orphans: [String], release: ReleaseSummary? = nil) {
        self.changed = changed
        self.orphans = orphans
        self.release = release
    }
}

/// Stops and removes the project's containers and networks.
package struct DownRequest: Codable, Sendable {
    /// Its named volumes too, external ones apart.
    package var removeVolumes: Bool
    /// Instead of each service's own grace period.
    package var timeout: Duration?

    package init(removeVolumes: Bool = false, timeout: Duration? = nil) {
        self.removeVolumes = removeVolumes
        self.timeout = timeout
    }
}

package struct ProjectSummary: Codable, Hashable, Sendable {
    package var name: ProjectName
    package var files: [String]
    package var containers: Int
    package var running: Int
    /// Why the daemon can't look after it; `nil` where it does.
    package var failure: String?

    package init(name: ProjectName, files: [String], containers: Int, running: Int, failure: String? = nil) {
        self.name = name
        self.files = files
        self.containers = containers
        self.running = running
        self.failure = failure
    }
}

/// One container as `escale ps` shows it.
package struct ContainerSummary: Codable, Hashable, Sendable {
    package enum State: String, Codable, Sendable { case created, running, paused, restarting, exited, stopping, unknown }
    package enum Health: String, Codable, Sendable { case starting, healthy, unhealthy }

    package struct Port: Codable, Hashable, Sendable {
        package var hostAddress: String?
        package var hostPort: UInt16
        package var containerPort: UInt16
        package var transport: PortMapping.Transport

        package init(hostAddress: String?, hostPort: UInt16, containerPort: UInt16, transport: PortMapping.Transport) {
            self.hostAddress = hostAddress
            self.hostPort = hostPort
            self.containerPort = containerPort
            self.transport = transport
        }
    }

    package var id: ContainerID
    package var name: String
    package var project: ProjectName
    package var service: ServiceName
    package var slot: Int
    /// The number of the release that brought its version.
    package var generation: Int
    package var image: String
    package var imageID: String
    package var command: [String]
    package var state: State
    package var health: Health?
    package var pid: Int32?
    package var exitCode: Int32?
    /// Why it is as it is: `out of memory`, `exit code 3, restarting in 2s`, the last probe's output.
    package var reason: String?
    /// How often its restart policy started it again.
    package var restarts: Int
    package var createdAt: Timestamp
    package var startedAt: Timestamp?
    package var finishedAt: Timestamp?
    package var ports: [Port]
    /// Addresses by network.
    package var addresses: [String: String]
    /// The same of IPv6, on networks that have it.
    package var ipv6Addresses: [String: String]?
    /// How often in a row it ended soon after its start, while that goes on.
    package var failures: Int?
    /// Whether it is no replica, but one that a command was run in (`escale run`, `pre_start`).
    package var isOneOff: Bool?

    package init(
        id: ContainerID, name: String, project: ProjectName, service: ServiceName, slot: Int, generation: Int = 1,
        image: String, imageID: String, command: [String], state: State, health: Health? = nil, pid: Int32? = nil,
        exitCode: Int32? = nil, reason: String? = nil, restarts: Int = 0, createdAt: Timestamp,
        startedAt: Timestamp? = nil, finishedAt: Timestamp? = nil, ports: [Port] = [], addresses: [String: String] = [:]
    ) {
        self.id = id
        self.name = name
        self.project = project
        self.service = service
        self.slot = slot
        self.generation = generation
        self.image = image
        self.imageID = imageID
        self.command = command
        self.state = state
        self.health = health
        self.pid = pid
        self.exitCode = exitCode
        self.reason = reason
        self.restarts = restarts
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.ports = ports
        self.addresses = addresses
    }
}

extension ContainerSummary {
    /// Whether it will run again, or does, without anybody's doing.
    package var isLive: Bool {
        switch state {
        case .created, .running, .paused, .restarting, .stopping, .unknown: true
        case .exited: false
        }
    }

    /// Whether it has processes, frozen or about to end as they may be.
    package var isRunning: Bool { state == .running || state == .paused || state == .stopping }
}

/// Something that happened to a project: what `escale events` and the record show.
package struct Event: Codable, Hashable, Sendable {
    package var at: Timestamp
    package var project: ProjectName
    /// `container.exited`, `container.started`, `health.unhealthy`, …
    package var kind: String
    /// The container's name, or another object's.
    package var subject: String
    /// Data such as `exitCode` and `reason`.
    package var attributes: [String: String]

    package init(
        at: Timestamp, project: ProjectName, kind: String, subject: String, attributes: [String: String] = [:]
    ) {
        self.at = at
        self.project = project
        self.kind = kind
        self.subject = subject
        self.attributes = attributes
    }
}

/// Runs a command in a running container.
package struct ExecRequest: Codable, Sendable {
    package var service: ServiceName
    /// The replica's slot, from 1.
    package var index: Int
    package var command: [String]
    package var tty: Bool
    package var user: String?
    package var workingDirectory: String?
    package var environment: [String: String]
    /// Return when it has started.
    package var detach = false
    /// With every capability, whatever the container has.
    package var isPrivileged = false

    package init(
        service: ServiceName, index: Int = 1, command: [String], tty: Bool, user: String? = nil,
        workingDirectory: String? = nil, environment: [String: String] = [:]
    ) {
        self.service = service
        self.index = index
        self.command = command
        self.tty = tty
        self.user = user
        self.workingDirectory = workingDirectory
        self.environment = environment
    }
}

/// What the caller, on the same host and as root, runs with its own terminal to be inside: the OCI runtime's `exec`.
package struct ExecPlan: Codable, Hashable, Sendable {
    package var executable: String
    package var arguments: [String]
    /// Mount points to hide from it in a private mount namespace.
    package var unmounts: [String]

    package init(executable: String, arguments: [String], unmounts: [String]) {
        self.executable = executable
        self.arguments = arguments
        self.unmounts = unmounts
    }
}

import EscaleCompose
package import EscaleCore
package import EscaleEngine
import EscaleImages
import EscaleNetwork
package import EscaleOCI
import EscalePlan
package import EscaleSystem

/// One command of an image build, to be run in a container.
package struct BuildCommand: Sendable {
    package var layers: [String]
    package var writable: WritableLayer
    package var arguments: [String]
    package var environment: [String: String]
    package var workingDirectory: String
    /// A name or number of the image's, with a group if need be; empty for root.
    package var user: String
    package var mounts: [ContainerSpec.Mount] = []
    package var network = Network.own
    /// More lines of `/etc/hosts`.
    package var extraHosts: [(name: String, address: String)] = []
    package var limits: ContainerLimits?
    package var capabilities: [String]?

    package enum Network: Sendable {
        /// One of the builds', with a way out.
        case own
        case none
        case host
    }

    package init(
        layers: [String], writable: WritableLayer, arguments: [String], environment: [String: String],
        workingDirectory: String, user: String
    ) {
        self.layers = layers
        self.writable = writable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
    }
}

/// Runs the commands of image builds: ordinary containers on a network of their own, gone with the command.
package actor BuildContainers {
    private let platform: Platform
    private var running: [ContainerID: (record: ContainerRecord, command: BuildCommand)] = [:]
    private var publications = 0

    /// No project of a user's can have this name.
    private static let project = ProjectName(rawValue: "_build")
    private static let network = Network(key: "build", name: NetworkName(rawValue: "escale_build"))

    init(platform: Platform) { self.platform = platform }

    /// Runs the command to its end.
    ///
    /// - Parameter output: sees both streams' lines, line breaks included.
    /// - Returns: the exit code, or 128 + the signal.
    /// - Throws: where it can't be started; `CancellationError`, after ending it.
    package func run(
        _ command: BuildCommand, output: @escaping @Sendable ([UInt8]) async -> Void
    ) async throws -> Int32 {
        let container = try await admit(command)
        do {
            let processes = try await start(container, command)
            let code = try await execute(container, processes, output)
            try await dismiss(container.id)
            return code
        } catch {
            try await dismiss(container.id)
            throw error
        }
    }

    private func admit(_ command: BuildCommand) async throws -> ContainerRecord {
        if command.network == .own { try await platform.network.create(Self.network, of: Self.project) }
        let id = platform.engine.newID()
        let user = try await platform.user(command.user, inLayers: command.layers)
        var environment = ["HOME": user.home]
        environment.merge(command.environment) { $1 }
        var spec = ContainerSpec(
            id: id, arguments: command.arguments, environment: environment,
            workingDirectory: command.workingDirectory, user: user.uid, group: user.gid,
            additionalGroups: user.additionalGroups, hostname: "build")
        spec.mounts = command.mounts
        spec.limits = command.limits
        if command.network == .host { spec.namespaces = [.network: .host] }
        let name = "build-\(id.short)"
        let container = ContainerRecord(
            id: id, name: name, project: Self.project,
            replica: ReplicaID(service: ServiceName(rawValue: "build"), slot: 1), fingerprint: "",
            blueprint: ContainerBlueprint(
                spec: spec, name: name, layers: command.layers, writable: command.writable),
            image: "", imageID: Digest(bytes: [UInt8](repeating: 0, count: 32)),
            addresses: command.network == .own
                ? try await platform.network.allocate([Self.network.name], for: id) : [],
            ports: [], stopSignal: 15, createdAt: platform.clock.now)
        running[id] = (container, command)
        try await publish()
        return container
    }

    private func start(_ container: ContainerRecord, _ command: BuildCommand) async throws -> ContainerProcesses {
        let engine = platform.engine
        let files = try await files(for: container, command)
        let processes = try await engine.create(container.blueprint, files: files)
        if command.network == .own { try await platform.network.attach(container, pid: processes.container.pid) }
        try await engine.start(container.id, name: container.name)
        return processes
    }

    private func files(for container: ContainerRecord, _ command: BuildCommand) async throws -> [String: String] {
        let hosts = NameFiles.hosts(
            hostname: container.blueprint.spec.hostname, address: container.addresses.first?.address,
            extra: command.extraHosts)
        switch command.network {
        case .own:
            var files = try await platform.network.files(for: container)
            files["/etc/hosts"] = hosts
            return files
        case .none: return ["/etc/hosts": hosts, "/etc/hostname": "build\n", "/etc/resolv.conf": ""]
        case .host:
            let resolver = try await blocking { try Files.readText("/etc/resolv.conf") }
            return ["/etc/hosts": hosts, "/etc/hostname": "build\n", "/etc/resolv.conf": resolver]
        }
    }

    private func execute(
        _ container: ContainerRecord, _ processes: ContainerProcesses,
        _ output: @escaping @Sendable ([UInt8]) async -> Void
    ) async throws -> Int32 {
        let engine = platform.engine
        let log = Task {
            var reader = engine.log(of: container.id)
            while true {
                // Cancelled when the container has ended: one last look, and that is all.
                let isLast = Task.isCancelled
                for line in try reader.next() { await output(line.bytes) }
                if isLast { return }
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
        let exit = try await withTaskCancellationHandler {
            // Not cancelled with us: the container is killed, and then ends.
            try await Task { try await engine.exit(of: container.blueprint, processes) }.value
        } onCancel: {
            ProcessHandle(processes.container)?.signal(9)
        }
        log.cancel()
        try await log.value
        try Task.checkCancellation()
        return exit.code
    }

    private func dismiss(_ id: ContainerID) async throws {
        running[id] = nil
        // Also when the build was cancelled: what was made goes.
        let platform = platform
        try await Task { try await platform.engine.discard(id) }.value
        try await publish()
    }

    private func publish() async throws {
        publications += 1
        try await platform.network.publish(
            Self.project, number: publications,
            containers: running.values.filter { $0.command.network == .own }.map(\.record), services: [], shares: [:])
    }

    // MARK: Looking around

    /// Makes a container with a command's files and settings that waits, for somebody to look around in it.
    ///
    /// - Returns: its id, for ``close(_:)``, and the command that gives the caller a shell in it.
    package func open(_ command: BuildCommand, terminal: Bool) async throws -> (id: ContainerID, shell: Command) {
        var command = command
        command.arguments = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]
        let container = try await admit(command)
        do {
            _ = try await start(container, command)
            let engine = platform.engine
            let spec = container.blueprint.spec
            let shell = try await blocking {
                try engine.execCommand(ContainerCommand(["/bin/sh"], terminal: terminal), in: spec)
            }
            return (container.id, shell)
        } catch {
            try await dismiss(container.id)
            throw error
        }
    }

    /// Ends a container that was opened.
    package func close(_ id: ContainerID) async throws {
        guard running[id] != nil else { return }
        try await dismiss(id)
    }

    /// Gives the network back where no build is running.
    func disconnectIfIdle() async throws {
        guard running.isEmpty, await platform.network.exists(Self.network.name) else { return }
        try await platform.network.remove(Self.network.name)
    }
}

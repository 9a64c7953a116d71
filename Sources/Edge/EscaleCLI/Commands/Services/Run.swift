import EscaleAPI
import EscaleClient
import EscaleCompose
import EscaleCore
import EscaleSystem
import EscaleYAML
import Glibc

/// `escale run`
enum Run: CLICommand {
    struct Options: CommandOptions {
        var detach = false
        var remove = false
        var interactive = true
        var tty = true
        var noTTY = false
        var name: String?
        var build = false
        var pull: UpRequest.PullMode?
        var quietPull = false
        var noDependencies = false
        var servicePorts = false
        var useAliases = false
        var removeOrphans = false
        var detachKeys = DetachKeys.standard
        var changes = ServiceChanges()
    }

    static let path = ["run"]
    static let summary = "Run a command once, in a container of its own"
    static let details: String? = """
        The container is made as the file says of the service, but for its ports and for what is given here; what the service \
        depends on is started first. Its exit code becomes that of escale. It stays when it has ended, unless --rm is given.
        """
    static let operands = Operands.atLeast(1, "SERVICE [COMMAND [ARGUMENT...]]")
    static let stopsAtOperand = true
    static let flags: [Flag<Options>] = [
        .toggle("detach", "d", \.detach, "Return when it has started, and print its ID"),
        .toggle("rm", nil, \.remove, "Remove the container when it has ended"),
        .toggle("interactive", "i", \.interactive, "Let it read the input; the default"),
        .toggle("tty", "t", \.tty, "Give it a terminal; the default where there is one"),
        .toggle("no-TTY", "T", \.noTTY, "Give it no terminal"),
        .value("name", nil, "NAME", "The container's name") { $0.name = $1 },
        .value("env", "e", "NAME=VALUE", "Set an environment variable (repeatable)") { $0.changes.environment.append($1) },
        .value("env-from-file", nil, "FILE", "Set the variables that the file has (repeatable)") {
            $0.changes.environmentFiles.append($1)
        },
        .value("volume", "v", "SOURCE:TARGET[:MODE]", "Mount something besides (repeatable)") { $0.changes.volumes.append($1) },
        .value("publish", "p", "[HOST:]PORT", "Publish a port (repeatable)") { $0.changes.ports.append($1) },
        .toggle("service-ports", "P", \.servicePorts, "Publish the service's own ports"),
        .value("entrypoint", nil, "COMMAND", "Instead of the image's entrypoint") { $0.changes.entrypoint = $1 },
        .value("user", "u", "USER", "Run it as this user, or UID:GID") { $0.changes.user = $1 },
        .value("workdir", "w", "DIR", "Run it in this directory of the container") { $0.changes.workingDirectory = $1 },
        .value("label", "l", "NAME=VALUE", "Put a label on the container (repeatable)") { $0.changes.labels.append($1) },
        .value("cap-add", nil, "NAME", "Add a capability (repeatable)") { $0.changes.addedCapabilities.append($1) },
        .value("cap-drop", nil, "NAME", "Drop a capability (repeatable)") { $0.changes.droppedCapabilities.append($1) },
        .toggle("no-deps", nil, \.noDependencies, "Leave alone what the service depends on"),
        .toggle("use-aliases", nil, \.useAliases, "Let it take the service's traffic, under its names"),
        .toggle("build", nil, \.build, "Build the image also where it exists"),
        .choice("pull", \.pull, "When to pull images, whatever the file says"),
        .toggle("quiet-pull", nil, \.quietPull, "Show no progress while images are pulled and built"),
        .toggle("remove-orphans", nil, \.removeOrphans, "Remove containers of services that the file no longer has"),
        .value("detach-keys", nil, "KEYS", "What detaches when typed; ctrl-p,ctrl-q by default") {
            $0.detachKeys = try DetachKeys.parse($1)
        },
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let terminal = session.hasTerminal && options.tty && !options.noTTY && !options.detach
        var changes = options.changes
        changes.command = operands.count > 1 ? Array(operands.dropFirst()) : nil
        changes.terminal = terminal
        let request = try await request(options, operands[0], changes, in: session)
        let mode: GlobalOptions.ProgressMode? = options.quietPull ? .quiet : nil
        let container = try await session.withProgress(mode) { try await client.prepareRun(request, progress: $0) }
        do {
            if options.detach {
                try await client.startContainer(container.id.rawValue)
                session.console.print(container.id.rawValue)
                return 0
            }
            return try await session.attached(
                to: container, readsInput: options.interactive, detachKeys: options.detachKeys, starts: true, client)
        } catch {
            // One that never ran is of no use to anybody.
            if options.remove { try? await client.removeContainer(container.id.rawValue) }
            throw error
        }
    }

    private static func request(
        _ options: Options, _ name: String, _ changes: ServiceChanges, in session: Session
    ) async throws -> RunRequest {
        let project = try session.project(selecting: [name])
        let target = Session.Target(name: project.name, project: project)
        let serviceName = try target.ownServices([name])[0]
        let changed = try session.project(
            selecting: [name],
            commandLine: try changes.overlay(serviceName, in: session))
        guard var service = changed.service(serviceName) else { throw EscaleError.unknownService(name, in: project) }
        if !options.servicePorts {
            let own = project.service(serviceName)?.ports ?? []
            service.ports.removeAll(where: own.contains)
        }
        var request = RunRequest(project: project, service: service)
        request.name = options.name
        request.withoutDependencies = options.noDependencies
        request.publishesPorts = options.servicePorts || !options.changes.ports.isEmpty
        request.usesAliases = options.useAliases
        request.isRemovedAtExit = options.remove
        request.readsInput = options.interactive && !options.detach
        request.build = options.build
        request.pull = options.pull
        request.removeOrphans = options.removeOrphans
        request.credentials = try await session.credentials(for: project.imageNames)
        return request
    }
}

/// What a command line changes of a service: a compose file in flags, merged over the others.
struct ServiceChanges: Sendable {
    var command: [String]?
    var entrypoint: String?
    var environment: [String] = []
    var environmentFiles: [String] = []
    var volumes: [String] = []
    var ports: [String] = []
    var user: String?
    var workingDirectory: String?
    var labels: [String] = []
    var addedCapabilities: [String] = []
    var droppedCapabilities: [String] = []
    var terminal = false

    func overlay(_ service: ServiceName, in session: Session) throws -> YAMLValue {
        var members: [YAMLValue.Member] = [.init("tty", .bool(terminal))]
        func list(_ key: String, _ texts: [String]) {
            if !texts.isEmpty { members.append(.init(key, .list(texts.map(YAMLValue.literal)))) }
        }
        if let command { members.append(.init("command", .list(command.map(YAMLValue.literal)))) }
        if let entrypoint {
            members.append(.init("entrypoint", YAMLValue.literal(entrypoint)))
            // Another program does not take the image's arguments, as with Docker.
            if command == nil { members.append(.init("command", .list([]))) }
        }
        let variables = try environment.compactMap { given -> String? in
            let (name, value) = try Values.assignment(given, environment: session.environment)
            return value.map { "\(name)=\($0)" }
        }
        list("environment", variables)
        list("env_file", environmentFiles.map(session.clean))
        list("volumes", volumes.map { Self.absolute($0, session) })
        list("ports", ports)
        list("labels", labels)
        list("cap_add", addedCapabilities)
        list("cap_drop", droppedCapabilities)
        if let user { members.append(.init("user", YAMLValue.literal(user))) }
        if let workingDirectory { members.append(.init("working_dir", YAMLValue.literal(workingDirectory))) }
        return .map([.init("services", .map([.init(service.rawValue, .map(members))]))])
    }

    static func absolute(_ volume: String, _ session: Session) -> String {
        let parts = volume.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts[0].hasPrefix(".") else { return volume }
        let path = session.clean(parts[0])
        return ([path] + parts.dropFirst()).joined(separator: ":")
    }
}

extension YAMLValue {
    /// A text of the command line for a compose file: a `$` is the shell's business, which has had its turn.
    static func literal(_ text: String) -> YAMLValue {
        .string(text.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$"))
    }
}

extension Session {
    /// Stays with a container until it ends; Ctrl-C goes to it.
    ///
    /// - Parameter starts: whether it is to be started, once nothing of its output can be missed.
    /// - Returns: its exit code; 0 where the user detached.
    func attached(
        to container: ContainerHandle, readsInput: Bool, detachKeys: [UInt8], starts: Bool, passesSignals: Bool = true,
        _ client: DaemonClient
    ) async throws -> Int32 {
        let id = container.id.rawValue
        let (signals, feed) = AsyncStream.makeStream(of: Int32.self)
        return try await interrupts.handled(by: { feed.yield($0) }) {
            if starts { try await client.makeAttachable(id) }
            let streams = try ContainerStreams(try await client.attachPlan(id))
            if starts { try await client.startContainer(id) }
            let passing = Task {
                for await signal in signals where passesSignals {
                    // It may have ended meanwhile, which the relay sees.
                    try? await client.signal(id, "\(signal)")
                }
            }
            defer { passing.cancel() }
            switch try await streams.relay(readsInput: readsInput, detachKeys: detachKeys) {
            case .detached:
                console.print("detached: \(container.name) goes on", to: .error)
                return 0
            case .ended: return try await client.awaitEnd(of: id).exitCode
            }
        }
    }
}

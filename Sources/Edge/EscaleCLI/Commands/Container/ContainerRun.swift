import EscaleAPI
import EscaleClient
import EscaleCompose
import EscaleCore
import EscaleSystem
import EscaleYAML

/// `escale container run`
enum ContainerRun: CLICommand {
    struct Options: CommandOptions {
        var detach = false
        var remove = false
        var interactive = false
        var tty = false
        var name: String?
        var pull: UpRequest.PullMode?
        var detachKeys = DetachKeys.standard
        var settings = ContainerSettings()
    }

    static let path = ["container", "run"]
    static let summary = "Run a command in a new container, without a compose file"
    static let details: String? = """
        With the flags of `docker run` that a compose file has keys for; what they may be, and what Escale does with them, is \
        in the reference of the compose file. Such containers are on a network of their own, where they find one another by \
        name.
        """
    static let operands = Operands.atLeast(1, "IMAGE [COMMAND [ARGUMENT...]]")
    static let stopsAtOperand = true
    static let flags: [Flag<Options>] =
        [
            .toggle("detach", "d", \.detach, "Return when it has started, and print its ID"),
            .toggle("rm", nil, \.remove, "Remove the container when it has ended"),
        ] + common

    static let common: [Flag<Options>] =
        [
            .toggle("interactive", "i", \.interactive, "Let it read the input"),
            .toggle("tty", "t", \.tty, "Give it a terminal"),
            .value("name", nil, "NAME", "The container's name") { $0.name = $1 },
            .choice("pull", \.pull, "When to pull the image; missing by default"),
            .value("detach-keys", nil, "KEYS", "What detaches when typed; ctrl-p,ctrl-q by default") {
                $0.detachKeys = try DetachKeys.parse($1)
            },
        ] + ContainerSettings.flags

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        if options.tty && options.interactive && !options.detach && !session.hasTerminal {
            throw EscaleError(.usage, "--tty: there is no terminal here", hint: "leave it away, or give --detach")
        }
        let isSupervised = (options.settings.restart ?? "no") != "no"
        if isSupervised, options.remove {
            throw EscaleError(.usage, "--restart and --rm exclude each other", hint: "one that is restarted never goes")
        }
        let name = options.name ?? generatedName()
        let project = try project(name, options, operands, in: session)
        guard isSupervised || (options.detach && !options.remove) else {
            return try await once(name, project, options, client, in: session)
        }
        let id = try await make(name, project, options, starts: true, client, in: session)
        if options.detach {
            session.console.print(id.rawValue)
            return 0
        }
        return try await session.attached(
            to: ContainerHandle(id: id, name: name), readsInput: options.interactive, detachKeys: options.detachKeys,
            starts: false, client)
    }

    /// Makes a container that is looked after like a service's; starts it if asked.
    static func make(
        _ name: String, _ project: Project, _ options: Options, starts: Bool, _ client: DaemonClient, in session: Session
    ) async throws -> ContainerID {
        var request = UpRequest(project: project, services: [ServiceName(rawValue: name)])
        request.withoutDependencies = true
        request.createsOnly = !starts
        request.pull = options.pull
        request.credentials = try await session.credentials(for: project.imageNames)
        let sent = request
        _ = try await session.withProgress(.quiet) { try await client.up(sent, progress: $0) }
        let made = try await client.containers(of: .own).last { $0.service.rawValue == name }
        guard let made else {
            throw EscaleError(.init("container.unknown"), "container \(name) has gone at once", hint: "see `escale container ls -a`")
        }
        return made.id
    }

    /// Runs a container that nobody starts again.
    private static func once(
        _ name: String, _ project: Project, _ options: Options, _ client: DaemonClient, in session: Session
    ) async throws -> Int32 {
        guard let service = project.services.first else { throw EscaleError.unknownService(name, in: project) }
        var request = RunRequest(project: project, service: service)
        request.name = name
        request.withoutDependencies = true
        request.publishesPorts = true
        request.usesAliases = true
        request.isRemovedAtExit = options.remove
        request.readsInput = options.interactive
        request.pull = options.pull
        request.credentials = try await session.credentials(for: project.imageNames)
        let sent = request
        let container = try await session.withProgress(.quiet) { try await client.prepareRun(sent, progress: $0) }
        if options.detach {
            try await client.startContainer(container.id.rawValue)
            session.console.print(container.id.rawValue)
            return 0
        }
        do {
            return try await session.attached(
                to: container, readsInput: options.interactive, detachKeys: options.detachKeys, starts: true, client)
        } catch {
            if options.remove { try? await client.removeContainer(container.id.rawValue) }
            throw error
        }
    }

    /// The one service that the flags describe, read by what reads compose files.
    static func project(
        _ name: String, _ options: Options, _ operands: [String], in session: Session
    ) throws -> Project {
        guard ServiceName.accepts(name) else {
            throw EscaleError(
                .usage, "--name: \"\(name)\" is not possible", hint: "use letters, digits, '_', '.' and '-', starting with a letter or digit")
        }
        var fixed: [YAMLValue.Member] = [.init("container_name", .string(name))]
        if options.tty { fixed.append(.init("tty", .bool(true))) }
        if options.interactive { fixed.append(.init("stdin_open", .bool(true))) }
        let tree = try options.settings.composeFile(
            name, image: operands[0], command: Array(operands.dropFirst()), fixed: fixed, in: session)
        let path = "/command line"
        let host = ComposeFileSystem.host
        let text = JSONWriter.text(tree)
        var loader = ComposeLoader(
            files: [path], workingDirectory: "/", environment: [:],
            fileSystem: ComposeFileSystem(
                read: { $0 == path ? .contents(Array(text.utf8)) : host.read($0) },
                exists: { $0 == path || host.exists($0) }))
        loader.projectDirectory = session.workingDirectory
        let loaded = loader.load()
        for diagnostic in loaded.diagnostics.sortedByPosition() {
            // The text is ours: what counts is what is said of it.
            let hint = diagnostic.hint.map { "\n  hint: \($0)" } ?? ""
            session.console.print("\(diagnostic.severity.rawValue): \(diagnostic.message)\(hint)", to: .error)
        }
        guard var project = loaded.project else {
            throw EscaleError(.usage, "no container can be made of these flags", hint: "see `escale container run --help`")
        }
        project.name = .own
        project.files = []
        return project
    }

    /// Such as `quiet-harbour-4f2a`.
    static func generatedName() -> String {
        let adjectives = ["bright", "calm", "eager", "fair", "quiet", "sunny", "swift", "steady", "tidal", "windy"]
        let nouns = ["anchor", "beacon", "bay", "buoy", "harbour", "mast", "pier", "quay", "sail", "tide"]
        let number = String(UInt16.random(in: 0x1000...0xffff), radix: 16)
        return "\(adjectives.randomElement() ?? "calm")-\(nouns.randomElement() ?? "quay")-\(number)"
    }
}

/// `escale container create`
enum ContainerCreate: CLICommand {
    static let path = ["container", "create"]
    static let summary = "Make a container and don't start it"
    static let details: String? = "Takes the flags of `escale container run`. `escale container start` starts it."
    static let operands = ContainerRun.operands
    static let stopsAtOperand = true
    static let flags: [Flag<ContainerRun.Options>] = ContainerRun.common

    static func run(_ options: ContainerRun.Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let name = options.name ?? ContainerRun.generatedName()
        let project = try ContainerRun.project(name, options, operands, in: session)
        let id = try await ContainerRun.make(name, project, options, starts: false, client, in: session)
        session.console.print(id.rawValue)
        return 0
    }
}

import EscaleAPI
import EscaleClient
import EscaleCompose
import EscaleCore
import EscaleSystem

/// `escale build`
enum Build: CLICommand {
    struct Options: CommandOptions {
        var noCache = false
        var quiet = false
        var pull = false
        var push = false
        var check = false
        var debugShell = false
        var withDependencies = false
        var progress: GlobalOptions.ProgressMode?
        var arguments: [String] = []
        var agents: [String] = []
        var own = OwnBuild()
    }

    static let path = ["build"]
    static let summary = "Build the images of services, or one of its own"
    static let details: String? = """
        With --tag, --file or a directory it builds that and needs no compose file: `escale build -t shop/web:1.2 .`. Steps \
        that were done before on the same files are not done again. `# syntax=` is not needed: the whole Dockerfile language \
        is known here.
        """
    static let operands = Operands(usage: "[SERVICE...] | [-t NAME] CONTEXT", minimum: 0, maximum: nil)
    static let flags: [Flag<Options>] =
        [
            .toggle("no-cache", nil, \.noCache, "Run every step again"),
            .toggle("pull", nil, \.pull, "Ask the registries for newer base images"),
            .toggle("push", nil, \.push, "Push the images when they are built"),
            .toggle("check", nil, \.check, "Only run the build checks; fail where one finds something"),
            .value("build-arg", nil, "NAME=VALUE", "Set an ARG of the Dockerfile (repeatable)") { $0.arguments.append($1) },
            .value("ssh", nil, "ID[=SOCKET]", "Let RUN --mount=type=ssh use an SSH agent (repeatable)") {
                $0.agents.append($1)
            },
            .toggle("debug-shell", nil, \.debugShell, "Where a RUN fails, give a shell in what it left"),
            .toggle("with-dependencies", nil, \.withDependencies, "Also what the services depend on"),
            .choice("progress", \.progress, "How to show progress, as `escale --progress`"),
            .toggle("quiet", "q", \.quiet, "Show no progress; print the images' ids"),
        ] + OwnBuild.flags
    static let unavailable = [
        Unavailable("--builder"), Unavailable("--memory", "-m", instead: "builds have no limit of memory"),
        Unavailable("--output", "-o", instead: "use `escale image save`"),
        Unavailable("--print"), Unavailable("--provenance"), Unavailable("--sbom"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        var request = BuildRequest(items: [], noCache: options.noCache)
        if options.own.isMeant(by: operands, in: session) {
            request.items = [try options.own.item(operands, in: session)]
        } else {
            request.items = try services(operands, options, in: session)
        }
        guard !request.items.isEmpty else { return 0 }
        try add(options, to: &request.items, in: session)
        request.pull = options.pull
        request.checkOnly = options.check
        request.keepsFailure = options.debugShell
        request.credentials = try await DockerConfig(environment: session.environment).allCredentials()
        let mode = options.quiet ? .quiet : options.progress
        do {
            let result = try await session.withProgress(mode) { [request] in try await client.build(request, progress: $0) }
            if let findings = result.findings { return report(findings, of: request.items, in: session) }
            if options.quiet {
                for item in request.items { if let id = result.images[item.service] { session.console.print(id) } }
            }
        } catch let error as EscaleError {
            guard let failure = error.details.first(where: { $0.label == "kept" })?.text else { throw error }
            return try await lookAround(failure, error, client, in: session)
        }
        let names = request.items.compactMap(\.image)
        return options.push && !names.isEmpty ? try await Push.push(names, quiet: options.quiet, in: session) : 0
    }

    private static func services(_ operands: [String], _ options: Options, in session: Session) throws
        -> [BuildRequest.Item]
    {
        let project = try session.project(selecting: operands)
        let named = try Session.Target(name: project.name, project: project).ownServices(operands)
        var wanted = options.withDependencies && !named.isEmpty ? project.closure(of: named) : Set(named)
        // What an image is built from is built first, asked for or not.
        var open = Array(wanted)
        while let name = open.popLast() {
            for needed in project.service(name)?.build?.options?.serviceContexts ?? [] where wanted.insert(needed).inserted {
                open.append(needed)
            }
        }
        var items: [BuildRequest.Item] = []
        for service in project.services where wanted.isEmpty || wanted.contains(service.name) {
            guard let item = BuildRequest.Item(service, in: project, agent: session.environment["SSH_AUTH_SOCK"]) else {
                if named.contains(service.name) {
                    session.warn("\(service.name) has no `build`, so there is nothing to do")
                }
                continue
            }
            items.append(item)
        }
        if items.isEmpty && named.isEmpty { session.warn("no service of \(project.name) has a `build`") }
        return items
    }

    /// What the command line adds to each build.
    private static func add(_ options: Options, to items: inout [BuildRequest.Item], in session: Session) throws {
        for index in items.indices {
            // As with other builders, the time stamp of a reproducible build is taken from the surroundings.
            if let epoch = session.environment["SOURCE_DATE_EPOCH"],
                items[index].build.arguments["SOURCE_DATE_EPOCH"] == nil
            {
                items[index].build.arguments["SOURCE_DATE_EPOCH"] = epoch
            }
            for text in options.arguments {
                let (name, value) = try Values.assignment(text, environment: session.environment)
                if let value { items[index].build.arguments[name] = value }
            }
            for text in options.agents {
                let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
                guard let socket = parts.count > 1 ? session.absolute(parts[1]) : session.environment["SSH_AUTH_SOCK"]
                else {
                    throw EscaleError(
                        .usage, "--ssh \(text): no SSH agent runs here", hint: "start one: eval $(ssh-agent); ssh-add")
                }
                items[index].agents[parts[0]] = socket
            }
        }
    }

    /// Prints what the checks found, with the lines that it is about.
    private static func report(_ findings: [Diagnostic], of items: [BuildRequest.Item], in session: Session) -> Int32 {
        let lines = { (name: String) in
            items.lazy.compactMap { SourceLines.read("\($0.build.context)/\(name)") }.first ?? SourceLines.read(name)
        }
        for finding in findings {
            session.console.print(Style(session.console.output).diagnosticText(finding.rendered(sources: lines)))
        }
        session.console.print(
            findings.isEmpty ? "Check complete, no warnings found." : "Check complete, \(findings.count) found.")
        return findings.isEmpty ? 0 : 1
    }

    private static func lookAround(
        _ failure: String,
        _ error: EscaleError,
        _ client: DaemonClient,
        in session: Session
    ) async throws -> Int32 {
        let console = session.console
        let shown = EscaleError(
            error.code, error.message, hint: error.hint, details: error.details.filter { $0.label != "kept" },
            diagnostics: error.diagnostics)
        console.print(shown.rendered(), to: .error)
        console.print("This is what the step left; `exit` ends it.", to: .error)
        let request = DebugRequest(failure: failure, terminal: session.hasTerminal)
        do {
            let plan = try await client.debugBuild(request)
            _ = try await session.run(plan, terminal: request.terminal)
            try await client.endDebugging(request)
        } catch {
            // The first error is the one to tell; what is kept goes with the daemon otherwise.
            try? await client.endDebugging(request)
            throw error
        }
        return 1
    }
}

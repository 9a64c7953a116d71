import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem
import Glibc

/// `escale exec`
enum Exec: CLICommand {
    struct Options: CommandOptions {
        var interactive = true
        var tty = true
        var noTTY = false
        var user: String?
        var workingDirectory: String?
        var environment: [String] = []
        var index = 1
        var detach = false
        var privileged = false
    }

    static let path = ["exec"]
    static let summary = "Run a command in a running container"
    static let details: String? = """
        The command has this terminal, where there is one, and its exit code becomes that of escale.
        """
    static let operands = Operands.atLeast(2, "SERVICE COMMAND [ARGUMENT...]")
    static let stopsAtOperand = true
    static let flags: [Flag<Options>] = [
        .toggle("interactive", "i", \.interactive, "Let it read the input; the default"),
        .toggle("tty", "t", \.tty, "Give it a terminal; the default where there is one"),
        .toggle("no-tty", "T", \.noTTY, "Give it no terminal"),
        .value("user", "u", "USER", "Run it as this user, or UID:GID") { $0.user = $1 },
        .value("workdir", "w", "DIR", "Run it in this directory of the container") {
            $0.workingDirectory = $1
        },
        .value("env", "e", "NAME=VALUE", "Set an environment variable; may be given several times") {
            $0.environment.append($1)
        },
        .toggle("detach", "d", \.detach, "Return when it has started; its output is lost"),
        .toggle("privileged", nil, \.privileged, "Give it every capability"),
        .value("index", nil, "N", "Which replica of the service, from 1") { $0.index = try Values.count($1) },
    ]
    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let target = try session.target()
        let service = try target.services([operands[0]])[0]
        return try await run(options, target.name, service, index: options.index, Array(operands.dropFirst()), in: session)
    }

    /// Runs the command in a replica of the service.
    static func run(
        _ options: Options, _ project: ProjectName, _ service: ServiceName, index: Int, _ command: [String],
        in session: Session
    ) async throws -> Int32 {
        let client = try session.client()
        var environment: [String: String] = [:]
        for text in options.environment {
            let (name, value) = try Values.assignment(text, environment: session.environment)
            environment[name] = value
        }
        let hasTerminal = isatty(0) == 1 && isatty(1) == 1
        var request = ExecRequest(
            service: service,
            index: index,
            command: command,
            tty: hasTerminal && options.tty && !options.noTTY,
            user: options.user,
            workingDirectory: options.workingDirectory,
            environment: environment
        )
        request.detach = options.detach
        request.isPrivileged = options.privileged
        if options.detach { request.tty = false }
        let plan = try await client.exec(project, request)
        if options.detach { return try await session.runDetached(plan) }
        return try await session.run(plan, terminal: request.tty, readsInput: options.interactive)
    }
}

extension Session {
    /// Whether a person is at both ends.
    var hasTerminal: Bool { isatty(0) == 1 && isatty(1) == 1 }

    /// Runs the OCI runtime's `exec` with this process's streams or, as the plan was made, a terminal that follows the size of
    /// this one's, and waits for its end. Signals go to it.
    ///
    /// - Returns: its exit code, or 128 + the signal.
    func run(_ plan: ExecPlan, terminal: Bool, readsInput: Bool = true) async throws -> Int32 {
        if terminal { return try await runAtTerminal(plan, readsInput: readsInput) }
        let (child, relay) = try await beginRelayed(plan, readsInput: readsInput)
        return try await interrupts.handled(by: { child.signal($0) }) {
            let code = try await child.wait()
            try await relay.finish()
            return code
        }
    }

    private func beginRelayed(
        _ plan: ExecPlan, readsInput: Bool
    ) async throws -> (child: ChildProcess, relay: StreamRelay) {
        let (relay, streams) = try StreamRelay.make(readsInput: readsInput)
        return (try await command(plan).blockingSpawn(streams), relay)
    }

    /// Runs the OCI runtime's `exec` where it returns once the program has started; the program has no streams.
    func runDetached(_ plan: ExecPlan) async throws -> Int32 {
        let nothing = try FileDescriptor.privateNull()
        return try await command(plan).blockingSpawn([nothing, nothing, nothing]).wait()
    }

    private func runAtTerminal(_ plan: ExecPlan, readsInput: Bool) async throws -> Int32 {
        let console = try ConsoleSocket()
        var command = command(plan)
        // Its options stand behind the verb.
        let verb = command.arguments.firstIndex(of: "exec") ?? command.arguments.startIndex
        command.arguments.insert(
            contentsOf: ["--console-socket", console.path], at: command.arguments.index(after: verb))
        let nothing = try FileDescriptor.privateNull()
        let child = try await command.blockingSpawn([nothing, nothing, FileDescriptor.standardError.duplicate()])
        return try await interrupts.handled(by: { child.signal($0) }) {
            let relay = Task {
                let terminal = try await console.terminal()
                try await onNewThread { try terminal.relay(readsInput: readsInput) }
            }
            let code = try await child.wait()
            // One that ended without a terminal has said why; what the other has written is shown to its end.
            let limit = Task {
                try await Task.sleep(for: .seconds(1))
                relay.cancel()
            }
            _ = await relay.result
            limit.cancel()
            return code
        }
    }

    private func command(_ plan: ExecPlan) -> Command {
        var variables = Command.defaultEnvironment
        variables["TERM"] = environment["TERM"]
        var command = Command(plan.executable, plan.arguments, environment: variables)
        command.namespace = plan.unmounts.isEmpty ? nil : MountNamespace(unmounts: plan.unmounts)
        return command
    }
}

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
        if request.tty { return try await session.runAtTerminal(plan, readsInput: options.interactive) }
        return try await become(plan, environment: session.environment, interactive: options.interactive && !options.detach)
    }

    /// Replaces this process by the program, so that terminal, signals and exit code are its own. Returns only by throwing.
    private static func become(
        _ plan: ExecPlan,
        environment: [String: String],
        interactive: Bool
    ) async throws -> Int32 {
        if !interactive {
            let nothing = try FileDescriptor("/dev/null", O_RDONLY)
            try check("close the input") { dup2(nothing.number, 0) }
        }
        var variables = Command.defaultEnvironment
        variables["TERM"] = environment["TERM"]
        let command = Command(plan.executable, plan.arguments, environment: variables)
        // The namespace is the thread's; exec keeps that thread and ends the others.
        return try await MountNamespace(unmounts: plan.unmounts).run { try command.replaceProcess() }
    }
}

extension Session {
    /// Whether a person is at both ends.
    var hasTerminal: Bool { isatty(0) == 1 && isatty(1) == 1 }

    /// Runs the OCI runtime's `exec` with a terminal that follows this one's size, and waits for its end.
    ///
    /// - Returns: its exit code, or 128 + the signal.
    func runAtTerminal(_ plan: ExecPlan, readsInput: Bool) async throws -> Int32 {
        let console = try ConsoleSocket()
        var arguments = plan.arguments
        // Its options stand behind the verb.
        let verb = arguments.firstIndex(of: "exec") ?? arguments.startIndex
        arguments.insert(contentsOf: ["--console-socket", console.path], at: arguments.index(after: verb))
        var command = Command(plan.executable, arguments, environment: Command.defaultEnvironment)
        command.namespace = plan.unmounts.isEmpty ? nil : MountNamespace(unmounts: plan.unmounts)
        let nothing = try FileDescriptor("/dev/null", O_RDWR)
        let child = try await command.blockingSpawn([nothing, nothing, FileDescriptor(owning: dup(2))])
        // Keys are the program's, and so are the signals that they stand for.
        return try await interrupts.handled(by: { _ in }) {
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

    /// Runs the program with this process's terminal and streams, and waits for its end.
    ///
    /// - Returns: its exit code, or 128 + the signal.
    func runAttached(_ plan: ExecPlan) async throws -> Int32 {
        var variables = Command.defaultEnvironment
        variables["TERM"] = environment["TERM"]
        var command = Command(plan.executable, plan.arguments, environment: variables)
        command.namespace = plan.unmounts.isEmpty ? nil : MountNamespace(unmounts: plan.unmounts)
        let streams = (0...2).map { FileDescriptor(owning: dup($0)) }
        let child = try await command.blockingSpawn(streams)
        return try await child.wait()
    }
}

extension Command {
    /// Makes this process the program; descriptors that are open without close-on-exec stay open.
    fileprivate func replaceProcess() throws -> Never {
        var arguments = ([executable] + arguments).map { strdup($0) } + [nil]
        var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        execve(executable, &arguments, &variables)
        let error = Errno.current
        for pointer in arguments + variables { free(pointer) }
        throw error.during("run \(executable)")
    }
}

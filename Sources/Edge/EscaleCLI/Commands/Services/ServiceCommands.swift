import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale stop`
enum Stop: CLICommand {
    struct Options: CommandOptions {
        var timeout: Duration?
    }

    static let path = ["stop"]
    static let summary = "Stop containers and leave them in place"
    static let details: String? = """
        They stay stopped, also over a reboot, until `escale start` or `escale up`. Services that depend on others are \
        stopped before them.
        """
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .value("timeout", "t", "SECONDS", "Grace period, instead of each service's own; 0 kills at once") {
            $0.timeout = try Values.seconds($1)
        }
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        _ = try await session.perform(.stop, on: operands) { $0.timeout = options.timeout }
        return 0
    }
}

/// `escale start`
enum Start: CLICommand {
    static let path = ["start"]
    static let summary = "Start containers that were stopped"
    static let details: String? = """
        In the order of their dependencies, as they were made: what changed in the file is for `escale up`.
        """
    static let operands = Operands.services

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        _ = try await session.perform(.start, on: operands) { _ in }
        return 0
    }
}

/// `escale restart`
enum Restart: CLICommand {
    struct Options: CommandOptions {
        var timeout: Duration?
        var withoutDependents = false
    }

    static let path = ["restart"]
    static let summary = "Stop containers and start them again"
    static let details: String? = """
        All replicas of a service at once, as they were made; `escale up -d --force-recreate` replaces them one after the \
        other. Services with `restart: true` in their `depends_on` are restarted along.
        """
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .value("timeout", "t", "SECONDS", "Grace period, instead of each service's own; 0 kills at once") {
            $0.timeout = try Values.seconds($1)
        },
        .toggle("no-deps", nil, \.withoutDependents, "Leave services alone that are to be restarted along"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        _ = try await session.perform(.restart, on: operands) { request in
            request.timeout = options.timeout
            request.leavesDependents = options.withoutDependents
        }
        return 0
    }
}

/// `escale kill`
enum Kill: CLICommand {
    struct Options: CommandOptions {
        var signal: String?
        var removeOrphans = false
    }

    static let path = ["kill"]
    static let summary = "End containers at once, or send them a signal"
    static let details: String? = """
        After SIGKILL, or a service's own stop signal, the containers stay stopped, whatever their restart policy, as \
        after `escale stop`. Any other signal is only sent.
        """
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .value("signal", "s", "SIGNAL", "What to send: a name such as SIGHUP, or a number; SIGKILL by default") {
            $0.signal = $1
        }
    ]
    static let unavailable = [Unavailable("--remove-orphans", instead: "use `escale up -d --remove-orphans`")]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        _ = try await session.perform(.kill, on: operands) { $0.signal = options.signal }
        return 0
    }
}

/// `escale pause`
enum Pause: CLICommand {
    static let path = ["pause"]
    static let summary = "Freeze the processes of containers"
    static let details: String? = "They get no traffic and are not checked until `escale unpause`, `start` or `up`."
    static let operands = Operands.services

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        _ = try await session.perform(.pause, on: operands) { _ in }
        return 0
    }
}

/// `escale unpause`
enum Unpause: CLICommand {
    static let path = ["unpause"]
    static let summary = "Let the processes of paused containers go on"
    static let operands = Operands.services

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        _ = try await session.perform(.unpause, on: operands) { _ in }
        return 0
    }
}

/// `escale rm`
enum Rm: CLICommand {
    struct Options: CommandOptions {
        var force = false
        var stop = false
        var volumes = false
    }

    static let path = ["rm"]
    static let summary = "Remove stopped containers"
    static let details: String? = """
        Of services of which none runs. They are made again with `escale up`. Named volumes stay.
        """
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("force", "f", \.force, "Don't ask"),
        .toggle("stop", "s", \.stop, "Stop first what runs"),
        .toggle("volumes", "v", \.volumes, "Remove the containers' anonymous volumes too"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let target = try session.target()
        let services = try target.services(operands)
        let all = try await session.client().containers(of: target.name)
        let going = all.filter { container in
            guard services.isEmpty || services.contains(container.service) else { return false }
            let siblings = container.isOneOff == true ? [container] : all.filter { $0.service == container.service && $0.isOneOff != true }
            return options.stop || !siblings.contains { $0.isRunning || $0.state == .restarting }
        }
        guard !going.isEmpty else {
            session.console.print("No stopped containers", to: .error)
            return 0
        }
        let names = going.map(\.name).joined(separator: ", ")
        guard try options.force || session.confirms("Going to remove \(names)") else { return 1 }
        _ = try await session.perform(.remove, on: operands) { request in
            request.stopsFirst = options.stop
            request.removesVolumes = options.volumes
        }
        return 0
    }
}

extension Session {
    /// Has the daemon do something to services, with its progress.
    func perform(
        _ action: ServicesRequest.Action,
        on operands: [String],
        _ change: (inout ServicesRequest) -> Void
    ) async throws -> ServicesResult {
        let client = try client()
        let target = try target()
        var request = ServicesRequest(action, try target.services(operands))
        change(&request)
        let final = request
        return try await withProgress { try await client.perform(target.name, final, progress: $0) }
    }

    /// Asks the person at the terminal.
    ///
    /// - Throws: `usage` where there is no terminal to ask at.
    func confirms(_ question: String) throws -> Bool {
        guard hasTerminal else {
            throw EscaleError(.usage, "\(question): nobody is there to confirm it", hint: "give --force")
        }
        console.write("\(question)? [y/N] ", to: .error)
        let answer = readLine() ?? ""
        return ["y", "yes"].contains(answer.lowercased())
    }
}

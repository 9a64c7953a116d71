import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

extension Session {
    /// The container of that name, id, or beginning of an id; of several the one that runs.
    ///
    /// - Throws: `container.unknown` where there is none.
    fileprivate func container(named name: String) async throws -> ContainerSummary {
        let found = try await client().containers().filter {
            ContainerHandle(id: $0.id, name: $0.name).answers(to: name)
        }
        guard let container = found.first(where: \.isRunning) ?? found.last else {
            throw EscaleError(
                .init("container.unknown"), "there is no container \(name)", hint: "see which there are: `escale container ls -a`")
        }
        return container
    }
}

/// `escale container ls`
enum ContainerLs: CLICommand {
    struct Options: CommandOptions {
        var all = false
        var quiet = false
        var noTrunc = false
        var format = ListFormat.table
    }

    static let path = ["container", "ls"]
    static let summary = "List the containers of this host, whatever project they are of"
    static let flags: [Flag<Options>] = [
        .toggle("all", "a", \.all, "Show also containers that have ended or never started"),
        .toggle("quiet", "q", \.quiet, "Print only the containers' IDs"),
        .toggle("no-trunc", nil, \.noTrunc, "Show commands whole"),
        .choice("format", \.format, "How to print"),
    ]
    static let fields = Ps.fields

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let containers = try await session.client().containers().filter {
            options.all || $0.isRunning || $0.state == .restarting
        }
        if options.quiet {
            for container in containers { session.console.print(container.id.rawValue) }
            return 0
        }
        try session.printList(containers, options.format) { containers in
            let now = Timestamp.now
            var table = Table("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAME", "PROJECT")
            for container in containers {
                table.add(
                    container.id.short, container.image, container.commandText(whole: options.noTrunc),
                    "\((now - container.createdAt).spokenText) ago", container.statusText(now: now), container.portsText,
                    container.name, container.project == .own ? "" : container.project.rawValue)
            }
            return table
        }
        return 0
    }
}

/// `escale container inspect`
enum ContainerInspect: CLICommand {
    static let path = ["container", "inspect"]
    static let summary = "Show all about containers, as JSON"
    static let details: String? =
        "Prints an array with the object that `docker container inspect` prints for each, as far as it has a meaning here."
    static let operands = Operands.atLeast(1, "CONTAINER...")

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        var objects: [String] = []
        for name in operands {
            objects.append(String(decoding: try await client.inspectContainer(name), as: UTF8.self))
        }
        session.console.print("[\n" + objects.joined(separator: ",\n") + "\n]")
        return 0
    }
}

/// `escale container logs`
enum ContainerLogs: CLICommand {
    static let path = ["container", "logs"]
    static let summary = "Show the output of a container"
    static let operands = Operands.exactly("CONTAINER")
    static let flags: [Flag<Logs.Options>] = [
        .toggle("follow", "f", \.follow, "Go on as more comes"),
        .value("tail", "n", "LINES", "Start with the last lines; all for all of them") {
            $0.tail = $1 == "all" ? nil : try Values.count($1, from: 0)
        },
        .value("since", nil, "TIME", "Start there: a time, or 10m for ten minutes ago") { $0.since = try Values.moment($1, now: .now) },
        .toggle("timestamps", "t", \.timestamps, "Show when each line was written"),
    ]

    static func run(_ options: Logs.Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let container = try await session.container(named: operands[0])
        let query = LogQuery(
            services: [container.service], follow: options.follow, tail: options.tail, since: options.since)
        let style = LogStyle(prefix: false, timestamps: options.timestamps, colours: false)
        let printer = LogPrinter(container.project, console: session.console, style: style)
        try await session.client().logs(of: container.project, query) { record in
            if record.container == container.name { printer.print(record) }
        }
        return 0
    }
}

/// `escale container exec`
enum ContainerExec: CLICommand {
    static let path = ["container", "exec"]
    static let summary = "Run a command in a running container"
    static let operands = Operands.atLeast(2, "CONTAINER COMMAND [ARGUMENT...]")
    static let stopsAtOperand = true
    static let flags = Exec.flags.filter { $0.info.long != "index" }

    static func run(_ options: Exec.Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let container = try await session.container(named: operands[0])
        return try await Exec.run(
            options, container.project, container.service, index: container.slot, Array(operands.dropFirst()), in: session)
    }
}

/// `escale container attach`
enum ContainerAttach: CLICommand {
    static let path = ["container", "attach"]
    static let summary = "Be at the input and output of a running container"
    static let operands = Operands.exactly("CONTAINER")
    static let flags = Attach.flags.filter { $0.info.long != "index" }

    static func run(_ options: Attach.Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let container = try await session.container(named: operands[0])
        return try await session.attached(
            to: ContainerHandle(id: container.id, name: container.name), readsInput: !options.noInput,
            detachKeys: options.detachKeys, starts: false, passesSignals: options.passesSignals, session.client())
    }
}

/// `escale container wait`
enum ContainerWait: CLICommand {
    static let path = ["container", "wait"]
    static let summary = "Wait until containers end, and print their exit codes"
    static let operands = Operands.atLeast(1, "CONTAINER...")

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        for name in operands { session.console.print("\(try await client.awaitEnd(of: name).exitCode)") }
        return 0
    }
}

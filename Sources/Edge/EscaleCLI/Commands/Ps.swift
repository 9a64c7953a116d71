import EscaleAPI
import EscaleClient
import EscaleCompose
import EscaleCore
import EscaleSystem

/// `escale ps`
enum Ps: CLICommand {
    struct Options: CommandOptions {
        var all = false
        var quiet = false
        var services = false
        var noTrunc = false
        var statuses: [ContainerSummary.State] = []
        var withoutOrphans = false
        var format = ListFormat.table
    }

    static let path = ["ps"]
    static let summary = "List the project's containers"
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("all", "a", \.all, "Show also containers that have ended or never started"),
        .toggle("quiet", "q", \.quiet, "Print only the containers' IDs"),
        .toggle("services", nil, \.services, "Print only the services' names"),
        .toggle("no-trunc", nil, \.noTrunc, "Show commands whole"),
        .value("status", nil, "STATUS", "Only those that are created, running, paused, restarting or exited (repeatable)") {
            $0.statuses.append(try status($1))
        },
        .value("filter", nil, "status=STATUS", "The same as --status") {
            let parts = $1.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, parts[0] == "status" else {
                throw EscaleError(.usage, "must be status=STATUS; there is no other filter")
            }
            $0.statuses.append(try status(parts[1]))
        },
        .toggle("no-orphans", nil, \.withoutOrphans, "Leave out containers of services that the file does not have"),
        .choice("format", \.format, "How to print"),
    ]
    static let fields = [
        JSONField("id", "container ID, 64 hexadecimal digits"),
        JSONField("name", "container name"),
        JSONField("project", "project name"),
        JSONField("service", "service name"),
        JSONField("slot", "number of the replica, from 1"),
        JSONField("generation", "number of the release that brought its version"),
        JSONField("image", "image name"),
        JSONField("imageID", "`sha256:…` of the image"),
        JSONField("command", "the command as a list"),
        JSONField("state", "`created`, `running`, `paused`, `restarting`, `stopping`, `exited` or `unknown`"),
        JSONField("health", "`starting`, `healthy` or `unhealthy`; missing without a health check"),
        JSONField("pid", "process ID on the host, while it runs"),
        JSONField("exitCode", "exit code of the last run, once it ended"),
        JSONField("reason", "why it is as it is, where there is something to say"),
        JSONField("restarts", "how often its restart policy started it again"),
        JSONField("failures", "how often in a row it ended soon after its start, while that goes on"),
        JSONField("isOneOff", "`true` for a container of `escale run` or of `pre_start`"),
        JSONField("createdAt", "RFC 3339"),
        JSONField("startedAt", "RFC 3339, once it started"),
        JSONField("finishedAt", "RFC 3339, once it ended"),
        JSONField("ports", "objects with `hostAddress`, `hostPort`, `containerPort` and `transport`"),
        JSONField("addresses", "its address by network"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let target = try session.target()
        let services = try target.services(operands)
        let containers = try await client.containers(of: target.name).filter { container in
            (services.isEmpty || services.contains(container.service)) && isAsked(container, options)
                && !(options.withoutOrphans && target.project.map { $0.service(container.service) == nil } ?? false)
        }
        if options.services {
            for name in Set(containers.map(\.service)).sorted() { session.console.print(name.rawValue) }
        } else if options.quiet {
            for container in containers { session.console.print(container.id.rawValue) }
        } else {
            try session.printList(containers, options.format) { table($0, whole: options.noTrunc, now: .now) }
        }
        return 0
    }

    private static func isAsked(_ container: ContainerSummary, _ options: Options) -> Bool {
        options.statuses.isEmpty ? options.all || isShown(container) : options.statuses.contains(container.state)
    }

    private static func status(_ text: String) throws(EscaleError) -> ContainerSummary.State {
        if let state = ContainerSummary.State(rawValue: text) { return state }
        throw EscaleError(.usage, "must be created, running, paused, restarting or exited")
    }

    private static func isShown(_ container: ContainerSummary) -> Bool {
        switch container.state {
        case .running, .paused, .restarting, .stopping, .unknown: true
        case .created, .exited: false
        }
    }

    /// With the releases that brought the containers, where a service has containers of more than one just now.
    static func table(_ containers: [ContainerSummary], whole: Bool, now: Timestamp) -> Table {
        let showsRelease = isChanging(containers)
        var table = Table(
            ["NAME", "IMAGE", "COMMAND", "SERVICE"] + (showsRelease ? ["RELEASE"] : [])
                + ["CREATED", "STATUS", "PORTS"]
        )
        for container in containers {
            let name = [
                container.name, container.image, container.commandText(whole: whole), container.service.rawValue,
            ]
            let state = [
                "\((now - container.createdAt).spokenText) ago", container.statusText(now: now),
                container.portsText,
            ]
            table.add(name + (showsRelease ? [String(container.generation)] : []) + state)
        }
        return table
    }

    private static func isChanging(_ containers: [ContainerSummary]) -> Bool {
        let services = Dictionary(grouping: containers.filter(\.isLive), by: \.service)
        return services.values.contains { Set($0.map(\.generation)).count > 1 }
    }
}

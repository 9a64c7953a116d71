import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale ps`
enum Ps: CLICommand {
    struct Options: CommandOptions {
        var all = false
        var quiet = false
        var services = false
        var noTrunc = false
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
        .choice("format", \.format, "How to print"),
    ]
    static let unavailable = [
        Unavailable("--filter", instead: "use `--format json` and a filter of your own"),
        Unavailable("--status", instead: "use `--format json` and a filter of your own"),
        Unavailable("--orphans"),
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
        JSONField("state", "`created`, `running`, `restarting`, `stopping`, `exited` or `unknown`"),
        JSONField("health", "`starting`, `healthy` or `unhealthy`; missing without a health check"),
        JSONField("pid", "process ID on the host, while it runs"),
        JSONField("exitCode", "exit code of the last run, once it ended"),
        JSONField("reason", "why it is as it is, where there is something to say"),
        JSONField("restarts", "how often its restart policy started it again"),
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
            (services.isEmpty || services.contains(container.service)) && (options.all || isShown(container))
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

    private static func isShown(_ container: ContainerSummary) -> Bool {
        switch container.state {
        case .running, .restarting, .stopping, .unknown: true
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

import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale logs`
enum Logs: CLICommand {
    struct Options: CommandOptions {
        var follow = false
        var tail: Int?
        var since: Timestamp?
        var until: Timestamp?
        var index: Int?
        var timestamps = false
        var noLogPrefix = false
        var noColour = false
    }

    static let path = ["logs"]
    static let summary = "Show the output of containers"
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("follow", "f", \.follow, "Go on as more comes"),
        .value("tail", "n", "LINES", "Start with the last lines of each container; all for all of them") {
            $0.tail = $1 == "all" ? nil : try Values.count($1, from: 0)
        },
        .value(
            "since",
            nil,
            "TIME",
            "Start there: a time such as 2026-11-20T22:54:01Z, or 10m for ten minutes ago"
        ) {
            $0.since = try Values.moment($1, now: .now)
        },
        .value("until", nil, "TIME", "End there: a time, or a duration before now") {
            $0.until = try Values.moment($1, now: .now)
        },
        .value("index", nil, "NUMBER", "Show only the service's replica of that number") {
            $0.index = try Values.count($1)
        },
        .toggle("timestamps", "t", \.timestamps, "Show when each line was written"),
        .toggle("no-log-prefix", nil, \.noLogPrefix, "Show the output without the containers' names"),
        .toggle("no-color", nil, \.noColour, "Show the output without colours"),
    ]
    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let target = try session.target()
        if options.index != nil, operands.count != 1 {
            throw EscaleError(
                .usage, "`escale logs --index` needs one service", hint: "name it: `escale logs --index 1 SERVICE`")
        }
        let query = LogQuery(
            services: try target.services(operands),
            follow: options.follow,
            tail: options.tail,
            since: options.since,
            until: options.until,
            index: options.index
        )
        let style = LogStyle(
            prefix: !options.noLogPrefix,
            timestamps: options.timestamps,
            colours: session.console.output.colours && !options.noColour
        )
        let printer = LogPrinter(
            target.name,
            console: session.console,
            style: style,
            expected: target.expectedContainers
        )
        try await client.logs(of: target.name, query) { printer.print($0) }
        return 0
    }
}

import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale events`
enum Events: CLICommand {
    struct Options: CommandOptions {
        var follow = false
        var since: Timestamp?
        var until: Timestamp?
        var json = false
        var format = ListFormat.table
    }

    static let path = ["events"]
    static let summary = "Show what happened to the project"
    static let details: String? = "With `--format json` each event is a line of its own."
    static let flags: [Flag<Options>] = [
        .toggle("follow", "f", \.follow, "Go on as more happens"),
        .value(
            "since",
            nil,
            "TIME",
            "Start there: a time such as 2026-11-20T22:54:01Z, or 10m for ten minutes ago"
        ) {
            $0.since = try Values.moment($1, now: .now)
        },
        .value("until", nil, "TIME", "End there") { $0.until = try Values.moment($1, now: .now) },
        .choice("format", \.format, "How to print"),
        .toggle("json", nil, \.json, "The same as --format json"),
    ]
    static let fields = [
        JSONField("at", "RFC 3339"),
        JSONField("project", "project name"),
        JSONField("kind", "what happened, such as `container.exited`"),
        JSONField("subject", "the container's name, or another object's"),
        JSONField("attributes", "data by name, such as `exitCode` and `reason`"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let target = try session.target()
        try await client.events(of: target.name, follow: options.follow, since: options.since) { event in
            if let until = options.until, event.at > until { return }
            switch options.json ? .json : options.format {
            case .table: session.console.print(text(event))
            case .json: session.console.write(try JSONText.line(event))
            case .yaml: session.console.write(try YAMLText.item(event))
            }
        }
        return 0
    }

    /// `2026-11-20T22:54:01.000000000Z container.exited shop-api-1 (exitCode=3, reason=…)`
    static func text(_ event: Event) -> String {
        let data = event.attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return DisplayWidth.plain(
            "\(event.at) \(event.kind) \(event.subject)"
                + (data.isEmpty ? "" : " (\(data.joined(separator: ", ")))")
        )
    }
}

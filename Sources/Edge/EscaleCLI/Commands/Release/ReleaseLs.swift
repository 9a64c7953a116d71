import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale release ls`
enum ReleaseLs: CLICommand {
    struct Options: CommandOptions {
        var quiet = false
        var noTrunc = false
        var format = ListFormat.table
    }

    static let path = ["release", "ls"]
    static let summary = "List the project's releases, newest first"
    static let flags: [Flag<Options>] = [
        .toggle("quiet", "q", \.quiet, "Print only the releases' numbers"),
        .toggle("no-trunc", nil, \.noTrunc, "Show reasons and lists of services whole"),
        .choice("format", \.format, "How to print"),
    ]
    static let fields = [
        JSONField("number", "the release's number, from 1"),
        JSONField(
            "state",
            "`running`, `paused`, `rolling-back`, `succeeded`, `rolled-back`, `failed` or `superseded`"
        ),
        JSONField("reason", "why it is in that state, where there is something to say"),
        JSONField("trigger", "`up`, or such as `rollback to 4`"),
        JSONField("createdAt", "RFC 3339"),
        JSONField("finishedAt", "RFC 3339, once it ended"),
        JSONField("services", "names of the services that it changes"),
        JSONField("isCurrent", "whether it is what runs now, the last that succeeded"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let releases = try await client.releases(of: try session.target().name)
        if options.quiet {
            for release in releases { session.console.print(String(release.number)) }
            return 0
        }
        try session.printList(releases, options.format) { table($0, whole: options.noTrunc, now: .now) }
        return 0
    }

    static func table(_ releases: [ReleaseSummary], whole: Bool, now: Timestamp) -> Table {
        var table = Table("RELEASE", "STATE", "TRIGGER", "SERVICES", "CREATED", "DURATION", "REASON")
        for release in releases {
            let services = release.services.map(\.rawValue).joined(separator: ", ")
            let reason = DisplayWidth.plain(release.reason ?? "")
            table.add(
                "\(release.number)" + (release.isCurrent ? " (current)" : ""),
                release.state.text,
                release.trigger,
                whole ? services : DisplayWidth.fit(services, 30),
                "\((now - release.createdAt).spokenText) ago",
                release.elapsed(now: now),
                whole ? reason : DisplayWidth.fit(reason, 60)
            )
        }
        return table
    }
}

import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale version`
enum VersionCommand: CLICommand {
    struct Options: CommandOptions {
        var format = Format.pretty
        var short = false
    }

    enum Format: String, CaseIterable, Sendable { case pretty, json }

    struct Versions: Codable, Hashable, Sendable {
        var version: String
        var api: Int
        var daemon: VersionInfo?
    }

    static let path = ["version"]
    static let summary = "Show the versions of escale and of the daemon, if it runs"
    static let flags: [Flag<Options>] = [
        .choice("format", \.format, "How to print"),
        .toggle("short", nil, \.short, "Print only the version number of escale"),
    ]
    static let fields = [
        JSONField("version", "version of escale"),
        JSONField("api", "version of the API that it speaks"),
        JSONField(
            "daemon",
            "object with `version`, `api`, `pid` and `startedAt`; missing where no daemon runs"
        ),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        if options.short {
            session.console.print(Version.current)
            return 0
        }
        let versions = Versions(
            version: Version.current,
            api: Routes.version,
            daemon: try await runningDaemon(session)
        )
        switch options.format {
        case .json: session.console.write(try JSONText.pretty(versions))
        case .pretty:
            session.console.print("Escale version \(versions.version)")
            if let daemon = versions.daemon {
                session.console.print(
                    "Daemon version \(daemon.version), API \(daemon.api), process \(daemon.pid), since \(daemon.startedAt)"
                )
            }
        }
        return 0
    }

    /// Starts none, and leaves others than root without an answer.
    private static func runningDaemon(_ session: Session) async throws -> VersionInfo? {
        do {
            let client = try session.client()
            return try client.isRunning() ? try await client.version() : nil
        } catch let error as EscaleError where error.code == .notRoot {
            return nil
        }
    }
}

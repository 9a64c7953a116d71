import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale release watch`
enum ReleaseWatch: CLICommand {
    struct Options: CommandOptions {
        var format = ListFormat.table
    }

    static let path = ["release", "watch"]
    static let summary = "Show a release live until it ends"
    static let details: String? = """
        Without a number it shows the latest. Off a terminal it prints a line whenever a step or a weight changes; \
        with json or yaml one object each time. Ctrl-C ends only the watching. The exit code is 0 if the release \
        succeeds, 1 if it ends otherwise.
        """
    static let operands = Operands.atMost(1, "[RELEASE]")
    static let flags: [Flag<Options>] = [.choice("format", \.format, "How to print")]
    static let fields = PrintedRelease.fields

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let number = try operands.first.map { try Values.release($0) }
        let client = try session.client()
        let name = try session.target().name
        let display = ReleaseDisplay(options.format, session.globals.progress, console: session.console)
        let release = try await watched(display, in: session) {
            try await client.followRelease(number, of: name) { try display.show($0) }
        }
        switch release.summary.state {
        case .succeeded: return 0
        case .failed, .rolledBack, .superseded, .running, .paused, .rollingBack:
            session.console.print(
                "see all about it with: escale release show \(release.summary.number)",
                to: .error
            )
            return 1
        }
    }

    private static func watched(
        _ display: ReleaseDisplay,
        in session: Session,
        _ body: () async throws -> ReleaseDetail
    ) async throws -> ReleaseDetail {
        defer { display.finish() }
        return try await session.animated(display.isAnimated, draw: { display.draw() }, body)
    }
}

import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale release show`
enum ReleaseShow: CLICommand {
    struct Options: CommandOptions {
        var noTrunc = false
        var format = ListFormat.table
    }

    static let path = ["release", "show"]
    static let summary = "Show what a release changes, what was decided, and on which evidence"
    static let details: String? = "Without a number it shows the latest."
    static let operands = Operands.atMost(1, "[RELEASE]")
    static let flags: [Flag<Options>] = [
        .toggle("no-trunc", nil, \.noTrunc, "Show every decision, and its evidence whole"),
        .choice("format", \.format, "How to print; json and yaml print one object"),
    ]
    static let fields = PrintedRelease.fields

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let number = try operands.first.map { try Values.release($0) }
        let client = try session.client()
        let release = try await client.release(number, of: try session.target().name)
        try session.printValue(PrintedRelease(release), options.format) {
            let style = Style(session.console.output)
            return ReleaseScreen(release, whole: options.noTrunc, now: .now, style: style).text()
        }
        return 0
    }
}

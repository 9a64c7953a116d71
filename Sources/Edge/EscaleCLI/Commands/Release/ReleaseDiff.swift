import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale release diff`
enum ReleaseDiff: CLICommand {
    struct Options: CommandOptions {
        var format = ListFormat.table
    }

    static let path = ["release", "diff"]
    static let summary = "Show what differs between two releases"
    static let details: String? = """
        With one number it compares that release with what runs now, without any the last two.
        """
    static let operands = Operands.atMost(2, "[RELEASE [RELEASE]]")
    static let flags: [Flag<Options>] = [
        .choice("format", \.format, "How to print; json and yaml print one object")
    ]
    static let fields = [
        JSONField("from", "number of the one release"),
        JSONField("to", "number of the other"),
        JSONField(
            "lines",
            "objects with `service`, `attribute` (such as `environment.MODE`), `old` and `new`; "
                + "the value is missing on the side that has none"
        ),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let numbers = try operands.map { try Values.release($0) }
        let client = try session.client()
        let difference = try await client.difference(
            of: try session.target().name,
            from: numbers.first,
            to: numbers.dropFirst().first
        )
        try session.printValue(difference, options.format) {
            DifferenceText.text(difference, style: Style(session.console.output))
        }
        return 0
    }
}

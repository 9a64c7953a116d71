import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale system reset`
enum SystemReset: CLICommand {
    struct Options: CommandOptions {
        var yes = false
    }

    static let path = ["system", "reset"]
    static let summary = "Remove every project with its volumes, every image and all state"
    static let flags: [Flag<Options>] = [.toggle("yes", "y", \.yes, "Really do it")]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        guard options.yes else {
            throw EscaleError(
                .usage,
                "this removes every project, volume and image under \(session.root.state), for good",
                hint: "if that is what you want: `escale system reset --yes`"
            )
        }
        let client = try session.client()
        try await session.withProgress { try await client.reset(progress: $0) }
        return 0
    }
}

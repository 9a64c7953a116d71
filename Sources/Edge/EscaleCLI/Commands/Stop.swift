import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale stop`
enum Stop: CLICommand {
    struct Options: CommandOptions {
        var timeout: Duration?
    }

    static let path = ["stop"]
    static let summary = "Stop the project's containers and leave them in place"
    static let details: String? = "Start them again with `escale up -d`. It stops the whole project."
    static let flags: [Flag<Options>] = [
        .value("timeout", "t", "SECONDS", "Grace period, instead of each service's own; 0 kills at once") {
            $0.timeout = try Values.seconds($1)
        }
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let name = try session.target().name
        try await session.withProgress {
            try await client.stop(name, StopRequest(timeout: options.timeout), progress: $0)
        }
        return 0
    }
}

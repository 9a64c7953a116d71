import EscaleClient
import EscaleCore

/// `escale system stop`
enum SystemStop: CLICommand {
    static let path = ["system", "stop"]
    static let summary = "End the daemon; containers go on running"
    static let details: String? = "The next command starts it again, and it takes up what runs."

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        guard try client.isRunning() else {
            session.console.print("The daemon doesn't run.")
            return 0
        }
        try await client.stopDaemon()
        return 0
    }
}

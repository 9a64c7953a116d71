import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale rollback`
enum Rollback: CLICommand {
    struct Options: CommandOptions {
        var yes = false
    }

    static let path = ["rollback"]
    static let summary = "Go back to a release that is kept"
    static let details: String? = """
        Without a number it goes back to the last one that succeeded before the current. It asks nothing, since it \
        is for emergencies; `escale release diff RELEASE` tells beforehand what it changes. Ctrl-C ends only the \
        waiting, the rollback goes on.
        """
    static let operands = Operands.atMost(1, "[RELEASE]")
    static let flags: [Flag<Options>] = [
        .toggle("yes", "y", \.yes, "Accepted for habit: nothing asks anyway")
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let number = try operands.first.map { try Values.release($0) }
        let client = try session.client()
        let name = try session.target().name
        let result = try await session.withRelease { progress in
            if let number {
                return try await client.rollback(name, RollbackRequest(release: number), progress: progress)
            }
            return try await toTheLast(name, client, progress)
        }
        try session.conclude(result.release)
        return 0
    }

    /// Goes back by one. Where the daemon is killed meanwhile, a release that has begun is followed to its end:
    /// asking again would go back from there.
    private static func toTheLast(
        _ name: ProjectName,
        _ client: DaemonClient,
        _ progress: @escaping ProgressHandler
    ) async throws -> UpResult {
        let before = try await newest(name, client)
        do {
            return try await client.rollback(name, RollbackRequest(), progress: progress)
        } catch let error as EscaleError where error.code == .daemonLost {
            progress(
                ProgressEvent("Daemon", .warning, "Restarting", reason: "the connection broke", at: .now)
            )
            guard let begun = try await newest(name, client), begun > before ?? 0 else {
                return try await client.rollback(name, RollbackRequest(), progress: progress)
            }
            let last = try await client.followRelease(begun, of: name) { progress(event($0.summary)) }
            return UpResult(changed: true, orphans: [], release: last.summary)
        }
    }

    private static func newest(_ name: ProjectName, _ client: DaemonClient) async throws -> Int? {
        try await client.releases(of: name).map(\.number).max()
    }

    private static func event(_ release: ReleaseSummary) -> ProgressEvent {
        let state: ProgressEvent.State =
            switch release.state {
            case .running, .paused, .rollingBack: .working
            case .succeeded: .done
            case .rolledBack, .failed, .superseded: .failed
            }
        return ProgressEvent(
            "Release \(release.number)",
            state,
            release.state.text,
            reason: release.reason,
            at: .now
        )
    }
}

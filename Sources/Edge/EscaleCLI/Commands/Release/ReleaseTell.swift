import EscaleAPI
import EscaleClient
import EscaleCore

/// A command that tells the running release something: one request, one line about what happens now.
protocol ReleaseTell: CLICommand where Options == NoOptions {
    static var action: ReleaseCommand.Action { get }
    /// What the release does after it, as a sentence whose subject is the release.
    static func consequence(_ release: ReleaseSummary) -> String
}

extension ReleaseTell {
    static var path: [String] { ["release", action.rawValue] }

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let release = try await client.tellRelease(action, of: try session.target().name)
        let reason =
            release.state.isTerminal ? release.reason.map { ": \(DisplayWidth.plain($0))" } ?? "" : ""
        session.console.print("release \(release.number) \(consequence(release))\(reason)")
        return 0
    }

    /// Where it has ended already, that is what there is to say.
    static func ended(_ release: ReleaseSummary) -> String { "has ended, \(release.state.text)" }
}

/// `escale release promote`
enum ReleasePromote: ReleaseTell {
    static let action = ReleaseCommand.Action.promote
    static let summary = "End the running release's pause, or its step at hand, and go on with the next"

    static func consequence(_ release: ReleaseSummary) -> String {
        release.state.isTerminal
            ? ended(release) : "goes on with its next step; see it with: escale release watch"
    }
}

/// `escale release pause`
enum ReleasePause: ReleaseTell {
    static let action = ReleaseCommand.Action.pause
    static let summary = "Leave the running release as it is until it is resumed"

    static func consequence(_ release: ReleaseSummary) -> String {
        release.state.isTerminal
            ? ended(release) : "stays as it is; go on with: escale release resume"
    }
}

/// `escale release resume`
enum ReleaseResume: ReleaseTell {
    static let action = ReleaseCommand.Action.resume
    static let summary = "Let a paused release go on"

    static func consequence(_ release: ReleaseSummary) -> String {
        release.state.isTerminal ? ended(release) : "goes on; see it with: escale release watch"
    }
}

/// `escale release abort`
enum ReleaseAbort: ReleaseTell {
    static let action = ReleaseCommand.Action.abort
    static let summary = "Undo the running release: go back to the version before, at once"
    static let details: String? = "It asks nothing: it is the emergency exit."

    static func consequence(_ release: ReleaseSummary) -> String {
        release.state.isTerminal
            ? ended(release) : "goes back to the version before; see it with: escale release watch"
    }
}

import EscaleAPI
import EscaleClient
import EscaleCore
import Synchronization

extension Session {
    /// Runs what may make a release and shows its progress; where Ctrl-C ends it, tells that the release goes on.
    func withRelease(_ body: (@escaping ProgressHandler) async throws -> UpResult) async throws -> UpResult {
        let sight = ReleaseSight()
        do {
            return try await withProgress { progress in
                try await body { event in
                    sight.note(event)
                    progress(event)
                }
            }
        } catch  where Task.isCancelled && sight.isRunning {
            console.print("the release goes on; see it with: escale release watch", to: .error)
            throw CancellationError()
        }
    }

    /// Says what there is to say about a release that was waited for, or not.
    ///
    /// - Throws: `release.failed` where it is undone, or will be.
    func conclude(_ release: ReleaseSummary?) throws {
        guard let release else { return }
        switch release.state {
        case .succeeded: return
        case .running:
            console.print(
                "release \(release.number) goes on; see it with: escale release watch",
                to: .error
            )
        case .paused:
            let reason = release.reason.map { ": \(DisplayWidth.plain($0))" } ?? ""
            console.print("release \(release.number) is paused\(reason)", to: .error)
            console.print("go on with: escale release promote", to: .error)
        case .rollingBack, .rolledBack, .failed, .superseded: throw EscaleError.releaseFailed(release)
        }
    }
}

extension EscaleError.Code {
    static let releaseFailed = Self("release.failed")
}

extension EscaleError {
    static func releaseFailed(_ release: ReleaseSummary) -> Self {
        Self(
            .releaseFailed,
            "release \(release.number) did not succeed, it is \(release.state.text)"
                + (release.reason.map { ": \($0)" } ?? ""),
            hint: "see what was decided with `escale release show \(release.number)`"
        )
    }
}

/// Whether the events so far told of a release that goes on. Its subject is `Release 7`.
private final class ReleaseSight: Sendable {
    private let state = Mutex(false)
    var isRunning: Bool { state.withLock { $0 } }

    func note(_ event: ProgressEvent) {
        let words = event.subject.split(separator: " ")
        guard words.count == 2, words[0] == "Release", Int(words[1]) != nil else { return }
        let runs =
            switch event.state {
            case .working, .output, .warning: true
            case .done, .failed: false
            }
        state.withLock { $0 = runs }
    }
}

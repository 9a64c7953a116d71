package import EscaleAPI
package import EscaleCore
import EscaleHTTP

extension DaemonClient {
    /// The project's releases that are kept, newest first.
    package func releases(of name: ProjectName) async throws -> [ReleaseSummary] {
        try await value(DaemonRequest(.get, "projects/\(name)/releases", to: "list the releases of \(name)"))
    }

    /// Everything about a release; about the latest for `nil`.
    package func release(_ number: Int?, of name: ProjectName) async throws -> ReleaseDetail {
        let which = number.map(String.init) ?? "latest"
        return try await value(
            DaemonRequest(
                .get,
                "projects/\(name)/releases/\(which)",
                to: "show the release \(which) of \(name)"
            )
        )
    }

    /// Gives the handler a release's state once a second and at each change, until it ends or the daemon does.
    package func watchRelease(
        _ number: Int,
        of name: ProjectName,
        _ onChange: (ReleaseDetail) throws -> Void
    ) async throws {
        let request = DaemonRequest(
            .get,
            "projects/\(name)/releases/\(number)/watch",
            to: "watch the release \(number) of \(name)"
        )
        try await lines(request, as: ReleaseDetail.self, onChange)
    }

    /// Gives the handler a release's state as it changes, until it has ended; of the latest for `nil`.
    ///
    /// Outlives the daemon: when that is killed, the next one is started and asked.
    ///
    /// - Returns: how it ended.
    package func followRelease(
        _ number: Int?,
        of name: ProjectName,
        _ onChange: (ReleaseDetail) throws -> Void
    ) async throws -> ReleaseDetail {
        while true {
            var latest: ReleaseDetail?
            try await Reconnection.untilLost {
                let first = try await release(number, of: name)
                latest = first
                try onChange(first)
            }
            if let latest { return try await follow(latest, of: name, onChange) }
            try await Task.sleep(for: Reconnection.pause)
        }
    }

    /// Goes on from what is known of a release. By its number: `latest` may be another one by now.
    private func follow(
        _ first: ReleaseDetail,
        of name: ProjectName,
        _ onChange: (ReleaseDetail) throws -> Void
    ) async throws -> ReleaseDetail {
        var latest = first
        while !latest.summary.state.isTerminal {
            try await Reconnection.untilLost {
                try await watchRelease(first.summary.number, of: name) { detail in
                    latest = detail
                    try onChange(detail)
                }
            }
            if !latest.summary.state.isTerminal { try await Task.sleep(for: Reconnection.pause) }
        }
        return latest
    }

    /// What differs between two releases; from `from` to what runs now without `to`, between the last two without both.
    package func difference(of name: ProjectName, from: Int?, to: Int?) async throws -> ReleaseDifference {
        var query = HTTPQuery()
        if let from { query.add("from", String(from)) }
        if let to { query.add("to", String(to)) }
        return try await value(
            DaemonRequest(.get, "projects/\(name)/releases/diff", query, to: "compare releases of \(name)")
        )
    }

    /// Tells the release that runs what to do.
    ///
    /// - Returns: what it is then.
    package func tellRelease(_ action: ReleaseCommand.Action, of name: ProjectName) async throws
        -> ReleaseSummary
    {
        let post = DaemonRequest(
            .post,
            "projects/\(name)/releases/latest",
            to: "\(action.rawValue) the release of \(name)"
        )
        return try await value(try post.with(ReleaseCommand(action)))
    }

    /// Goes back to a kept release.
    ///
    /// Sent again when the daemon is killed meanwhile, but only with a number: a second one without would go back
    /// from where the first one went to.
    package func rollback(_ name: ProjectName, _ request: RollbackRequest, progress: ProgressHandler)
        async throws
        -> UpResult
    {
        let post = try DaemonRequest(.post, "projects/\(name)/rollback", to: "roll \(name) back").with(
            request
        )
        return try await result(
            post,
            as: UpResult.self,
            isIdempotent: request.release != nil,
            progress: progress
        )
    }
}

package import EscaleAPI
import EscaleCore
import EscaleHTTP
import EscaleSystem

extension DaemonClient {
    /// Also of a daemon with another API.
    package func version() async throws -> VersionInfo {
        try await value(DaemonRequest(.get, "version", to: "tell its version", anyVersion: true))
    }

    package func system() async throws -> SystemInfo {
        try await value(DaemonRequest(.get, "system", to: "describe itself"))
    }

    /// Ends the daemon, also one with another API, and waits until it is gone; containers go on running.
    ///
    /// - Throws: `daemon.did-not-stop` where it takes longer than ten seconds.
    package func stopDaemon() async throws {
        try await untilGone(within: .seconds(10)) {
            let post = try DaemonRequest(.post, "system/stop", to: "stop", anyVersion: true).with(Empty())
            _ = try await value(post, as: Empty.self)
        }
    }

    /// Waits, after the request that ends the daemon, until its process is gone.
    private func untilGone(within limit: Duration, _ request: () async throws -> Void) async throws {
        let pid = try await version().pid
        let process = ProcessIdentity(pid: pid).flatMap { ProcessHandle($0) }
        try await request()
        guard let process else { return }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await process.ended() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw EscaleError.daemonDidNotStop(pid, within: limit)
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Takes every project down with its volumes, removes all state and ends the daemon.
    ///
    /// Images are many files: removing them takes a busy disk its time.
    ///
    /// - Throws: `daemon.did-not-stop` where it doesn't end within five minutes after that.
    package func reset(progress: ProgressHandler) async throws {
        try await untilGone(within: .seconds(300)) {
            let post = try DaemonRequest(.post, "system/reset", to: "reset").with(Empty())
            _ = try await result(post, as: Empty.self, isIdempotent: false, progress: progress)
        }
    }

    /// Removes what nothing needs that runs.
    package func prune(all: Bool, volumes: Bool, progress: ProgressHandler) async throws -> SystemPruneResult {
        let post = DaemonRequest(
            .post, "system/prune", ["all": all ? "1" : "0", "volumes": volumes ? "1" : "0"], to: "remove what is unused")
        return try await result(post, as: SystemPruneResult.self, isIdempotent: true, progress: progress)
    }
}

package import EscaleAPI
import EscaleHTTP

extension DaemonClient {
    /// Also of a daemon with another API.
    package func version() async throws -> VersionInfo {
        try await value(DaemonRequest(.get, "version", to: "tell its version", anyVersion: true))
    }

    package func system() async throws -> SystemInfo {
        try await value(DaemonRequest(.get, "system", to: "describe itself"))
    }

    /// Ends the daemon, also one with another API; containers go on running.
    package func stopDaemon() async throws {
        let post = try DaemonRequest(.post, "system/stop", to: "stop", anyVersion: true).with(Empty())
        _ = try await value(post, as: Empty.self)
    }

    /// Takes every project down with its volumes, removes all state and ends the daemon.
    package func reset(progress: ProgressHandler) async throws {
        let post = try DaemonRequest(.post, "system/reset", to: "reset").with(Empty())
        _ = try await result(post, as: Empty.self, isIdempotent: false, progress: progress)
    }
}

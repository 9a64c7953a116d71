package import EscaleAPI
import EscaleHTTP

extension DaemonClient {
    /// Also of a daemon with another API.
    package func version() async throws -> VersionInfo {
        var request = DaemonRequest(.get, "version", to: "tell its version")
        request.anyVersion = true
        return try await value(request)
    }

    package func system() async throws -> SystemInfo {
        try await value(DaemonRequest(.get, "system", to: "describe itself"))
    }

    /// Ends the daemon, also one with another API; containers go on running.
    package func stopDaemon() async throws {
        var request = try DaemonRequest(.post, "system/stop", to: "stop").with(Empty())
        request.anyVersion = true
        _ = try await value(request, as: Empty.self)
    }

    /// Takes every project down with its volumes, removes all state and ends the daemon.
    package func reset(progress: ProgressHandler) async throws {
        let post = try DaemonRequest(.post, "system/reset", to: "reset").with(Empty())
        _ = try await result(post, as: Empty.self, isIdempotent: false, progress: progress)
    }
}

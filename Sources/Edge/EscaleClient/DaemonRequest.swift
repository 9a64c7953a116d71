import EscaleAPI
import EscaleHTTP
import FoundationEssentials
import Glibc

/// One request to the daemon.
struct DaemonRequest: Sendable {
    private(set) var http: HTTPRequest
    /// What the daemon is asked to do, as errors say it: `bring shop up`.
    let action: String
    /// Whether a daemon with another API may answer too.
    let anyVersion: Bool

    init(
        _ method: HTTPMethod,
        _ path: String,
        _ query: HTTPQuery = [:],
        to action: String,
        anyVersion: Bool = false
    ) {
        http = HTTPRequest(method, "/v1/\(path)", query: query)
        http.headers["X-Escale-Process"] = String(getpid())
        if !anyVersion { http.headers[Self.versionHeader] = String(Routes.version) }
        self.action = action
        self.anyVersion = anyVersion
    }

    /// The same with a body.
    func with(_ body: some Encodable) throws -> DaemonRequest {
        var copy = self
        copy.http.headers["Content-Type"] = "application/json"
        copy.http.body = Array(try JSONEncoder().encode(body))
        return copy
    }

    /// Which API a request or an answer speaks.
    static let versionHeader = "X-Escale-Api"
}

package import EscaleCore
import EscaleHTTP
import EscaleYAML
import FoundationEssentials

extension EscaleError.Code {
    package static let clusterConfig = Self("cluster.config")
    package static let clusterNotFound = Self("cluster.not-found")
    package static let clusterConflict = Self("cluster.conflict")
    package static let clusterForbidden = Self("cluster.forbidden")
    package static let clusterInvalid = Self("cluster.invalid")
    /// The rest of a list is no longer to be had.
    static let clusterExpired = Self("cluster.expired")
    /// A release that was undone: what was before is back.
    package static let clusterUndone = Self("cluster.undone")
    package static let clusterUnreachable = Self("cluster.unreachable")
}

extension EscaleError {
    static func clusterConfig(_ message: String, hint: String? = nil) -> Self { Self(.clusterConfig, message, hint: hint) }

    /// What a refusal means, in the server's words (meta/v1 Status).
    static func refused(_ response: HTTPClient.Response, to deed: String, _ access: ClusterAccess) -> Self {
        let status = try? JSONDecoder().decode(YAMLValue.self, from: Data(response.body))
        // What stands before the server may answer in words of its own.
        let words = response.headers["Content-Type"]?.hasPrefix("text/plain") == true ? response.body.prefix(200).prefix { $0 != 10 && $0 != 13 } : []
        let message = status?["message"]?.stringValue
            ?? "it answered \(response.status.rawValue)\(words.isEmpty ? "" : ": \(String(decoding: words, as: UTF8.self))")"
        let causes = (status?.value(at: "details", "causes")?.items ?? []).map { cause in
            [cause["field"]?.stringValue, cause["message"]?.stringValue].compactMap { $0 }.joined(separator: ": ")
        }
        let details = causes.isEmpty ? [] : [Detail("the server says", causes.joined(separator: "\n"))]
        switch response.status.rawValue {
        case 401:
            return Self(
                .init("cluster.unauthorized"), "the cluster of \(access.context) doesn't know you: can't \(deed)",
                hint: "log in again, or choose another user in the kubeconfig")
        case 403: return Self(.clusterForbidden, "can't \(deed): \(message)", hint: "ask whoever looks after the cluster for that right")
        case 404: return Self(.clusterNotFound, "can't \(deed): \(message)")
        case 409: return Self(.clusterConflict, "can't \(deed): \(message)", details: details)
        case 410: return Self(.clusterExpired, "can't \(deed): \(message)")
        case 400, 422: return Self(.clusterInvalid, "can't \(deed): \(message)", details: details)
        default: return Self(.init("cluster.failed"), "can't \(deed): \(message)", details: details)
        }
    }

    static func foreignServer(_ access: ClusterAccess) -> Self {
        Self(.init("cluster.answer"), "\(access.server.host) doesn't speak the Kubernetes API", hint: "is \(access.context) the right context?")
    }

    static func unreachable(_ error: EscaleError, to deed: String, _ access: ClusterAccess) -> Self {
        Self(
            .clusterUnreachable, "can't \(deed): the cluster of \(access.context) is not to be reached: \(error.message)",
            hint: hint(error))
    }

    private static func hint(_ error: EscaleError) -> String {
        switch error.code {
        case .httpUntrusted: "its certificate is not of the kubeconfig's certificate-authority, or for another name"
        case .httpOwnCertificate: "look at client-certificate and client-key in the kubeconfig"
        default: error.hint ?? "is the server of the kubeconfig right, and does it run?"
        }
    }
}

package import EscaleCore
import EscaleHTTP
import EscaleYAML
import FoundationEssentials

extension EscaleError.Code {
    package static let clusterNotFound = Self("cluster.not-found")
    package static let clusterConflict = Self("cluster.conflict")
    package static let clusterForbidden = Self("cluster.forbidden")
    package static let clusterInvalid = Self("cluster.invalid")
    package static let clusterUnreachable = Self("cluster.unreachable")
}

extension EscaleError {
    /// What a refusal means, in the server's words (meta/v1 Status).
    static func refused(_ response: HTTPClient.Response, to deed: String, _ access: ClusterAccess) -> Self {
        let status = try? JSONDecoder().decode(YAMLValue.self, from: Data(response.body))
        let message = status?["message"]?.stringValue ?? "it answered \(response.status.rawValue)"
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
        case 400, 422: return Self(.clusterInvalid, "can't \(deed): \(message)", details: details)
        default: return Self(.init("cluster.failed"), "can't \(deed): \(message)", details: details)
        }
    }

    static func unreachable(_ error: EscaleError, to deed: String, _ access: ClusterAccess) -> Self {
        Self(
            .clusterUnreachable, "can't \(deed): the cluster of \(access.context) is not to be reached: \(error.message)",
            hint: error.code == .init("http.untrusted")
                ? "its certificate is not of the kubeconfig's certificate-authority" : "is the server of the kubeconfig right, and does it run?")
    }
}

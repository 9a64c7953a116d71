import CCurl
import EscaleCore
import Glibc

extension EscaleError {
    /// What a failed transfer means.
    ///
    /// - Parameters:
    ///   - systemError: the last `errno` of connecting, 0 for none.
    ///   - proxyStatus: what a proxy answered when it was asked for a way through, 0 for nothing.
    static func transfer(_ result: CURLcode, _ systemError: Int32, proxyStatus: Int, _ transfer: TransferRequest) -> Self {
        let request = "\(transfer.request.method) \(transfer.request.path)"
        let peer = transfer.endpoint.description
        let reason = systemError != 0 ? strerror(systemError) : nil
        let cause = String(cString: reason ?? UnsafeMutablePointer(mutating: curl_easy_strerror(result)))
        // Whom the connection is made to.
        let next = if case .by(let proxy) = transfer.route { "the proxy \(proxy)" } else { peer }
        switch result {
        case _ where proxyStatus >= 300:
            return Self(
                .httpFailed,
                "the proxy answered \(proxyStatus) when it was asked for a way to \(peer)",
                hint: proxyStatus == 407 ? "the proxy's URL needs a name and a password" : nil
            )
        case CURLE_COULDNT_RESOLVE_PROXY: return Self(.httpConnectFailed, "cannot connect to \(next): its name is not known")
        case CURLE_PROXY: return Self(.httpFailed, "\(next) found no way to \(peer)")
        case CURLE_SSL_CERTPROBLEM:
            return Self(
                .httpOwnCertificate,
                "the client's own certificate and key can't be used: they must be PEM texts that belong together"
            )
        case CURLE_COULDNT_CONNECT where [ENOENT, ECONNREFUSED].contains(systemError):
            return Self(.httpUnreachable, "nobody listens at \(next): \(cause)")
        case CURLE_COULDNT_CONNECT where [EACCES, EPERM].contains(systemError):
            return Self(
                .httpConnectFailed,
                "cannot connect to \(next): \(cause)",
                hint: "use a user that may open the socket, such as root"
            )
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST:
            return Self(.httpConnectFailed, "cannot connect to \(next): \(cause)")
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE:
            let reason = String(cString: curl_easy_strerror(result))
            return Self(.httpUntrusted, "\(peer) is not trusted: \(reason)")
        case CURLE_SSL_CONNECT_ERROR:
            return Self(.httpNoTLS, "\(peer) does not speak TLS, or not as this host does: \(cause)")
        case CURLE_OUT_OF_MEMORY:
            // libcurl says so of a head that is longer than it takes.
            return Self(.httpTooLarge, "\(peer) answered \(request) with too much before the body")
        case CURLE_OPERATION_TIMEDOUT:
            return Self(.httpTimeout, "\(peer) took too long to answer \(request)")
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE:
            return Self(.httpInterrupted, "\(peer) broke off while answering \(request)")
        default:
            return Self(
                .httpFailed,
                "\(request) to \(peer) failed: \(String(cString: curl_easy_strerror(result)))"
            )
        }
    }
}

extension HTTPClient.Endpoint: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unix(let path): path
        case .tcp(let host, let port), .tls(let host, let port, _): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }
}

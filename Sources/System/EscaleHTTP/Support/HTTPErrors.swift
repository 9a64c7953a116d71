package import EscaleCore
import Glibc

extension EscaleError.Code {
    /// Nobody listens there: the socket is missing or refuses.
    package static let httpUnreachable = Self("http.unreachable")
    /// The connection can't be made for another reason, such as a missing permission.
    package static let httpConnectFailed = Self("http.connect-failed")
    /// Connecting or the whole exchange took longer than allowed.
    package static let httpTimeout = Self("http.timeout")
    /// The server's certificate is not to be believed.
    package static let httpUntrusted = Self("http.untrusted")
    /// The certificate that the client was told to show is none.
    package static let httpOwnCertificate = Self("http.own-certificate")
    /// The server and this client find no way to speak TLS; perhaps the server speaks plain HTTP.
    package static let httpNoTLS = Self("http.no-tls")
    /// The peer went away in the middle of an answer.
    package static let httpInterrupted = Self("http.interrupted")
    /// A body or line is larger than this side accepts.
    package static let httpTooLarge = Self("http.too-large")
    /// The request can't be sent as it is.
    package static let httpInvalidRequest = Self("http.invalid-request")
    /// libcurl refused for a reason that has no code of its own.
    package static let httpFailed = Self("http.failed")
    /// The client of a streamed answer is gone; what produces it should stop.
    package static let httpClientGone = Self("http.client-gone")
    /// Somebody else listens at the server's address.
    package static let httpAddressInUse = Self("http.address-in-use")
    /// The server can't listen for another reason.
    package static let httpListenFailed = Self("http.listen-failed")
}

extension EscaleError {
    static let badCertificate = Self(
        .httpListenFailed,
        "the server can't use its certificate: it and its key must be PEM texts that belong together",
        hint: "`openssl x509 -in FILE -noout -text` shows a certificate"
    )

    static let clientGone = Self(.httpClientGone, "the client closed the connection")

    static func socketPathTooLong(_ path: String) -> Self {
        Self(
            .httpListenFailed,
            "the socket path \(path) is longer than the \(UnixAddress.longestPath) bytes Linux allows",
            hint: "use a shorter path, such as one under /run"
        )
    }

    static func listen(_ what: String, _ address: String, _ reason: Int32) -> Self {
        Self(.httpListenFailed, "cannot \(what) \(address): \(String(cString: strerror(reason)))")
    }

    static func addressInUse(_ address: String) -> Self {
        Self(
            .httpAddressInUse,
            "another process already listens at \(address)",
            hint: "stop it first; `ss -lp` shows which process it is"
        )
    }
}

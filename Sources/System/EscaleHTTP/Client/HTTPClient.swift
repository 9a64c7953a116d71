package import EscaleCore

/// An HTTP/1.1 client of one server, on a Unix socket or TCP; keeps connections open between requests.
///
/// libcurl runs on one thread of the client's own. It doesn't follow redirects, decompress or use proxies,
/// and sends nothing twice but a GET or HEAD whose kept connection turns out to be closed.
package final class HTTPClient: Sendable {
    package enum Endpoint: Hashable, Sendable {
        case unix(path: String)
        case tcp(host: String, port: UInt16)
    }

    /// A whole answer. Any status is an answer, not an error.
    package struct Response: Hashable, Sendable {
        package let status: HTTPStatus
        package let headers: HTTPHeaders
        package let body: [UInt8]
    }

    /// An answer whose body is still coming. Letting go of `body` closes the connection.
    package struct StreamedResponse: Sendable {
        package let status: HTTPStatus
        package let headers: HTTPHeaders
        package let body: HTTPBodyStream
    }

    private let endpoint: Endpoint
    private let connectTimeout: Duration
    private let thread: CurlThreadOwner

    /// Makes no connection yet.
    ///
    /// - Throws: `http.invalid-request` for a socket path that is too long, `internal` without a thread to be
    ///   had.
    package init(_ endpoint: Endpoint, connectTimeout: Duration = .seconds(5)) throws(EscaleError) {
        if case .unix(let path) = endpoint, path.utf8.count > UnixAddress.longestPath {
            throw EscaleError(
                .httpInvalidRequest,
                "the socket path \(path) is longer than the \(UnixAddress.longestPath) bytes Linux allows",
                hint: "use a shorter path, such as one under /run"
            )
        }
        self.endpoint = endpoint
        self.connectTimeout = connectTimeout
        thread = try CurlThreadOwner()
    }

    /// Sends the request and collects the whole answer. Cancelling the task closes the connection.
    ///
    /// - Parameters:
    ///   - timeout: for the whole exchange; `nil` for none.
    ///   - bodyLimit: a larger answer is refused.
    /// - Throws: `http.unreachable`, `http.connect-failed`, `http.timeout`, `http.interrupted`,
    ///   `http.too-large`, `http.invalid-request`, `CancellationError`.
    package func send(
        _ request: HTTPRequest,
        timeout: Duration? = nil,
        bodyLimit: ByteCount = ByteCount(256 << 20)
    ) async throws -> Response {
        let response = try await stream(request, timeout: timeout)
        var body: [UInt8] = []
        for try await chunk in response.body {
            guard Int64(body.count + chunk.count) <= bodyLimit.rawValue else {
                throw EscaleError(
                    .httpTooLarge,
                    "the answer to \(request.method) \(request.path) is larger than \(bodyLimit)"
                )
            }
            body += chunk
        }
        return Response(status: response.status, headers: response.headers, body: body)
    }

    /// Sends the request and returns when the answer's headers are there.
    ///
    /// - Parameter timeout: for the whole exchange, the body included; `nil` for none.
    /// - Throws: as ``send(_:timeout:bodyLimit:)``; the same errors may come from the body later.
    package func stream(_ request: HTTPRequest, timeout: Duration? = nil) async throws -> StreamedResponse {
        if let field = request.headers.fields.first(where: { !$0.isValid }) {
            throw EscaleError(.httpInvalidRequest, "the header \"\(field.name)\" can't be sent")
        }
        let incoming = IncomingResponse()
        let body = HTTPBodyStream(incoming, thread)
        let transfer = TransferRequest(
            endpoint: endpoint,
            request: request,
            connectTimeout: connectTimeout,
            timeout: timeout,
            incoming: incoming
        )
        thread.submit(.start(transfer))
        let head = try await body.head()
        return StreamedResponse(status: head.status, headers: head.headers, body: body)
    }
}

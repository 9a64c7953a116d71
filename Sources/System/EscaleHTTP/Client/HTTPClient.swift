package import EscaleCore
package import EscaleSystem

/// An HTTP/1.1 client of one server, on a Unix socket, TCP or TLS; keeps connections open between requests.
///
/// libcurl runs on one thread of the client's own. It doesn't follow redirects or decompress, and sends nothing twice but
/// a GET or HEAD whose kept connection turns out to be closed. It uses proxies only if asked.
package final class HTTPClient: Sendable {
    package enum Endpoint: Hashable, Sendable {
        case unix(path: String)
        case tcp(host: String, port: UInt16)
        case tls(host: String, port: UInt16, TLSTrust)
    }

    /// The way to the server.
    package enum Route: Hashable, Sendable {
        case direct
        /// By the proxies that the environment names (`HTTPS_PROXY` and its like), if there are any.
        case byEnvironment
        /// By this proxy, whatever the environment says.
        case by(HTTPProxy)
    }

    /// A body that is a part of a file and is read as it is sent.
    package struct Upload: Sendable {
        package var file: FileDescriptor
        /// In bytes, from the file's beginning.
        package var offset: Int64
        package var count: Int64
        /// Hears how many more bytes were read to be sent.
        package var progress: @Sendable (Int) -> Void

        package init(
            _ file: FileDescriptor,
            from offset: Int64,
            count: Int64,
            progress: @escaping @Sendable (Int) -> Void = { _ in }
        ) {
            self.file = file
            self.offset = offset
            self.count = count
            self.progress = progress
        }
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
    private let route: Route
    private let thread: CurlThreadOwner

    /// Makes no connection yet.
    ///
    /// - Throws: `http.invalid-request` for a socket path that is too long, `internal` without a thread to be
    ///   had.
    package init(
        _ endpoint: Endpoint,
        connectTimeout: Duration = .seconds(5),
        route: Route = .direct
    ) throws(EscaleError) {
        if case .unix(let path) = endpoint, path.utf8.count > UnixAddress.longestPath {
            throw EscaleError(
                .httpInvalidRequest,
                "the socket path \(path) is longer than the \(UnixAddress.longestPath) bytes Linux allows",
                hint: "use a shorter path, such as one under /run"
            )
        }
        self.endpoint = endpoint
        self.connectTimeout = connectTimeout
        self.route = route
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
        upload: Upload? = nil,
        timeout: Duration? = nil,
        stall: Duration? = nil,
        bodyLimit: ByteCount = ByteCount(256 << 20)
    ) async throws -> Response {
        let response = try await stream(request, upload: upload, timeout: timeout, stall: stall)
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
    /// - Parameters:
    ///   - upload: sent instead of the request's body.
    ///   - timeout: for the whole exchange, the body included; `nil` for none.
    ///   - stall: for how long not a byte may come or go; `nil` for ever.
    /// - Throws: as ``send(_:timeout:bodyLimit:)``; the same errors may come from the body later.
    package func stream(
        _ request: HTTPRequest,
        upload: Upload? = nil,
        timeout: Duration? = nil,
        stall: Duration? = nil
    ) async throws -> StreamedResponse {
        if let field = request.headers.fields.first(where: { !$0.isValid }) {
            throw EscaleError(.httpInvalidRequest, "the header \"\(field.name)\" can't be sent")
        }
        let incoming = IncomingResponse()
        let body = HTTPBodyStream(incoming, thread)
        let transfer = TransferRequest(
            endpoint: endpoint,
            request: request,
            upload: upload,
            connectTimeout: connectTimeout,
            timeout: timeout,
            stall: stall,
            route: route,
            incoming: incoming
        )
        thread.submit(.start(transfer))
        let head = try await body.head()
        return StreamedResponse(status: head.status, headers: head.headers, body: body)
    }
}

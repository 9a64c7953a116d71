package import EscaleSystem

/// What a handler answers: status and headers, then a body of bytes or a stream.
package struct HTTPResponse: Sendable {
    package enum Body: Sendable {
        case bytes([UInt8])
        /// A part of a file, which the kernel sends. It must not become shorter meanwhile.
        case file(FileDescriptor, from: Int64, count: Int64)
        /// Runs in the handler's task once the head is on its way. What it writes is sent at once, in chunks.
        /// The body ends when it returns; when it throws, the connection is cut so that the client sees a
        /// broken answer.
        case stream(@Sendable (HTTPBodyWriter) async throws -> Void)
    }

    package var status: HTTPStatus
    /// Without `Content-Length`, `Transfer-Encoding`, `Connection` and `Date`, which the server sets.
    package var headers: HTTPHeaders
    package var body: Body

    package init(_ status: HTTPStatus, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.init(status, headers: headers, body: .bytes(body))
    }

    package init(_ status: HTTPStatus, headers: HTTPHeaders = [:], body: Body) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package static func text(_ status: HTTPStatus, _ text: String) -> Self {
        Self(status, headers: ["Content-Type": "text/plain; charset=utf-8"], body: Array(text.utf8))
    }

    package static func stream(
        _ status: HTTPStatus = .ok,
        headers: HTTPHeaders = [:],
        _ produce: @escaping @Sendable (HTTPBodyWriter) async throws -> Void
    ) -> Self {
        Self(status, headers: headers, body: .stream(produce))
    }
}

/// A response's status code.
package struct HTTPStatus: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    package var description: String { String(rawValue) }

    package var isSuccess: Bool { (200..<300).contains(rawValue) }

    package static let ok = Self(rawValue: 200)
    package static let created = Self(rawValue: 201)
    package static let accepted = Self(rawValue: 202)
    package static let noContent = Self(rawValue: 204)
    package static let partialContent = Self(rawValue: 206)
    package static let movedPermanently = Self(rawValue: 301)
    package static let temporaryRedirect = Self(rawValue: 307)
    package static let unauthorized = Self(rawValue: 401)
    package static let rangeNotSatisfiable = Self(rawValue: 416)
    package static let tooManyRequests = Self(rawValue: 429)
    package static let insufficientStorage = Self(rawValue: 507)
    package static let badRequest = Self(rawValue: 400)
    package static let forbidden = Self(rawValue: 403)
    package static let notFound = Self(rawValue: 404)
    package static let methodNotAllowed = Self(rawValue: 405)
    package static let conflict = Self(rawValue: 409)
    package static let contentTooLarge = Self(rawValue: 413)
    package static let unprocessable = Self(rawValue: 422)
    package static let internalServerError = Self(rawValue: 500)
    package static let serviceUnavailable = Self(rawValue: 503)
}

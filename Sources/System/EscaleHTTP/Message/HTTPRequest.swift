/// A request, as the client sends it and as the server's handler gets it: with its whole body.
package struct HTTPRequest: Hashable, Sendable {
    package var method: HTTPMethod
    /// The path as it is on the wire, from `/`, percent-encoded.
    package var encodedPath: String
    package var query: HTTPQuery
    package var headers: HTTPHeaders
    package var body: [UInt8]
    /// Path and query exactly as somebody else wrote them, instead of the two above.
    private var foreignTarget: String?

    /// A request for a URL's target as it is, such as one that a server gave. Its signature would not outlive any change.
    package init(_ method: HTTPMethod, target: String, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.init(
            method,
            encodedPath: String(target.prefix { $0 != "?" }),
            query: [:],
            headers: headers,
            body: body
        )
        foreignTarget = target
    }

    /// - Parameter path: decoded, with its slashes. For parts that may hold a slash use
    ///   ``init(_:segments:query:headers:body:)``.
    package init(
        _ method: HTTPMethod,
        _ path: String,
        query: HTTPQuery = [:],
        headers: HTTPHeaders = [:],
        body: [UInt8] = []
    ) {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        self.init(
            method,
            segments: path.hasPrefix("/") ? Array(segments.dropFirst()) : segments,
            query: query,
            headers: headers,
            body: body
        )
    }

    /// - Parameter segments: the path's parts, decoded; a slash in one is escaped.
    package init(
        _ method: HTTPMethod,
        segments: [String],
        query: HTTPQuery = [:],
        headers: HTTPHeaders = [:],
        body: [UInt8] = []
    ) {
        self.init(
            method,
            encodedPath: "/" + segments.map(PercentCoding.encode).joined(separator: "/"),
            query: query,
            headers: headers,
            body: body
        )
    }

    init(_ method: HTTPMethod, encodedPath: String, query: HTTPQuery, headers: HTTPHeaders, body: [UInt8]) {
        self.method = method
        self.encodedPath = encodedPath
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// The path, decoded: for people and for routes whose parts hold no slash.
    package var path: String { PercentCoding.decode(encodedPath) }

    /// The path's parts, each decoded after the split; without empty ones. `/a/b%2Fc` gives `a` and `b/c`.
    package var segments: [String] { encodedPath.split(separator: "/").map { PercentCoding.decode($0) } }

    /// What stands in the request line.
    package var target: String {
        if let foreignTarget { return foreignTarget }
        let query = query.encoded
        return query.isEmpty ? encodedPath : encodedPath + "?" + query
    }
}

/// A request's method, in capitals.
package struct HTTPMethod: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }

    package static let get = Self(rawValue: "GET")
    package static let head = Self(rawValue: "HEAD")
    package static let post = Self(rawValue: "POST")
    package static let put = Self(rawValue: "PUT")
    package static let patch = Self(rawValue: "PATCH")
    package static let delete = Self(rawValue: "DELETE")
}

import EscaleAPI
import EscaleCore
import EscaleHTTP
import EscaleOCI
import EscaleSystem
import FoundationEssentials

/// One registry as one user sees it: finds out how it is spoken to, says who asks, follows redirects, and tries again what may
/// be tried again (OCI distribution specification; Docker's token authentication).
actor RegistryConnection {
    /// As it stands in images' names.
    nonisolated let host: String
    private let base: HTTPURL
    private let isInsecure: Bool
    private let settings: RegistryConfiguration.Host
    private let credential: RegistryCredential?
    private var clients: [HTTPURL: HTTPClient] = [:]
    private var challenge: Challenge?
    /// Whether the user's name and password were sent already.
    private var sentBasic = false
    private var session: HTTPURL?
    private var tokens: [String: (value: String, until: ContinuousClock.Instant)] = [:]

    static let attempts = 6
    static let stall = Duration.seconds(60)

    /// - Parameter mirror: asked in the registry's place.
    init(
        _ host: String,
        configuration: RegistryConfiguration,
        credential: RegistryCredential?,
        mirror: HTTPURL? = nil
    ) throws(EscaleError) {
        self.host = host
        settings = configuration.host(host)
        self.credential = mirror == nil ? credential : nil
        let name = host == ImageReference.defaultHost ? "index." + host : host
        guard let (address, port) = HTTPURL.hostAndPort(name) else {
            throw EscaleError(.init("image.reference"), "\"\(host)\" is not a registry's host name")
        }
        base =
            mirror.map { HTTPURL(isSecure: $0.isSecure, host: $0.host, port: $0.port, target: "/") }
            ?? HTTPURL(isSecure: true, host: address, port: port ?? 443, target: "/")
        isInsecure = settings.isInsecure || Self.isLoopback(address) || mirror?.isSecure == false
    }

    private static func isLoopback(_ address: String) -> Bool {
        address == "localhost" || address == "::1" || address.hasPrefix("127.")
    }

    /// What is to be asked of a registry.
    struct Call: Sendable {
        var method: HTTPMethod
        /// A path of the registry's own, or a whole URL that it gave.
        var target: String
        var headers: HTTPHeaders = [:]
        var body: [UInt8] = []
        var upload: HTTPClient.Upload?
        /// What is touched, as tokens are asked for: `repository:library/nginx:pull`.
        var scopes: [String]
        /// How messages name it.
        var what: String
        /// Statuses that are answers, besides those of success.
        var accepts: Set<Int> = []
        /// Whether it may be sent again after it broke off.
        var isRepeatable = true

        init(_ method: HTTPMethod, _ target: String, scopes: [String], what: String) {
            self.method = method
            self.target = target
            self.scopes = scopes
            self.what = what
        }
    }

    /// An answer whose body is still to be read, and where it came from.
    struct Answer: Sendable {
        let response: HTTPClient.StreamedResponse
        let url: HTTPURL
    }

    /// An answer that was read to its end.
    struct WholeAnswer: Sendable {
        let status: HTTPStatus
        let headers: HTTPHeaders
        let body: [UInt8]
    }

    /// Asks, and gives the whole answer.
    func send(_ call: Call, bodyLimit: ByteCount = ByteCount(8 << 20)) async throws -> WholeAnswer {
        try await repeated(call) {
            let answer = try await self.open(call)
            var body: [UInt8] = []
            for try await chunk in answer.response.body {
                body += chunk
                guard body.count <= bodyLimit.rawValue else {
                    throw EscaleError.notARegistry(self.host, "the answer for \(call.what) is too large")
                }
            }
            return WholeAnswer(status: answer.response.status, headers: answer.response.headers, body: body)
        }
    }

    /// Asks once; the caller reads the body and copes with what breaks off.
    func open(_ call: Call) async throws -> Answer {
        let base = try await connect()
        guard var url = base.resolving(call.target) else {
            throw EscaleError.notARegistry(host, "it sends on to \(call.target.prefix(200))")
        }
        var redirects = 0
        var isRenewed = false
        while true {
            let response = try await request(call, url, isOwn: url.sharesOrigin(with: base))
            let status = response.status.rawValue
            if [301, 302, 303, 307, 308].contains(status), let location = response.headers["Location"],
                [.get, .head].contains(call.method)
            {
                redirects += 1
                guard redirects <= 5 else { throw EscaleError.notARegistry(host, "it sends on in a circle") }
                guard let next = url.resolving(location), next.isSecure || !url.isSecure || isInsecure else {
                    throw EscaleError.notARegistry(host, "it sends on to \(location.prefix(200))")
                }
                url = next
                continue
            }
            if status == 401, url.sharesOrigin(with: base), !isRenewed,
                let better = response.headers.all("WWW-Authenticate").flatMap(Challenge.parse).first(
                    where: \.isKnown
                )
            {
                isRenewed = true
                challenge = better
                for scope in call.scopes { tokens[scope] = nil }
                tokens[call.scopes.joined(separator: " ")] = nil
                // A login that was refused is not sent again in the same way.
                if better.scheme == "bearer" || credential != nil && !sentBasic { continue }
            }
            if response.status.isSuccess || call.accepts.contains(status) {
                return Answer(response: response, url: url)
            }
            let body = try await Self.start(of: response)
            throw Refused(
                status: response.status,
                retryAfter: response.headers["Retry-After"].flatMap { Int($0) },
                error: .registry(
                    response.status,
                    body,
                    host: host,
                    what: call.what,
                    isLoggedIn: credential != nil
                )
            )
        }
    }

    /// A refusal that may be temporary.
    struct Refused: Error {
        let status: HTTPStatus
        let retryAfter: Int?
        let error: EscaleError

        var isTemporary: Bool { [408, 429, 500, 502, 503, 504].contains(status.rawValue) }
    }

    /// Runs what may be repeated until it succeeds, with longer and longer pauses.
    nonisolated func repeated<Value: Sendable>(
        _ call: Call,
        _ body: () async throws -> Value
    ) async throws -> Value {
        var attempt = 0
        while true {
            attempt += 1
            do {
                return try await body()
            } catch {
                guard let pause = Self.pause(after: error, attempt, call.isRepeatable) else {
                    throw (error as? Refused)?.error ?? error
                }
                try await Task.sleep(for: pause)
            }
        }
    }

    /// How long to wait before the next attempt; `nil` where there is none.
    static func pause(after error: any Error, _ attempt: Int, _ isRepeatable: Bool) -> Duration? {
        guard attempt < attempts else { return nil }
        let usual = Duration.milliseconds(Int.random(in: 200...400) << min(attempt, 5))
        if let refused = error as? Refused {
            guard refused.isTemporary else { return nil }
            return refused.retryAfter.map { .seconds(min(max($0, 0), 60)) } ?? usual
        }
        guard isRepeatable, let error = error as? EscaleError,
            [.httpInterrupted, .httpTimeout].contains(error.code)
        else { return nil }
        return usual
    }

    private func request(_ call: Call, _ url: HTTPURL, isOwn: Bool) async throws
        -> HTTPClient.StreamedResponse
    {
        var headers = call.headers
        if isOwn, let value = try await authorization(call.scopes) { headers["Authorization"] = value }
        return try await client(url).stream(
            HTTPRequest(call.method, target: url.target, headers: headers, body: call.body),
            upload: call.upload,
            stall: Self.stall
        )
    }

    private static func start(of response: HTTPClient.StreamedResponse) async throws -> [UInt8] {
        var body: [UInt8] = []
        for try await chunk in response.body {
            body += chunk
            if body.count > 65536 { break }
        }
        return body
    }
}

extension Challenge {
    fileprivate var isKnown: Bool { scheme == "basic" || scheme == "bearer" }
}

// MARK: Connecting

extension RegistryConnection {
    /// Where the registry is, once it has answered; how it wants to be spoken to is known then.
    private func connect() async throws -> HTTPURL {
        if let session { return session }
        let ping = Call(.get, "/v2/", scopes: [], what: "its API")
        let found = try await repeated(ping) { try await self.ping() }
        session = found
        return found
    }

    private func ping() async throws -> HTTPURL {
        do {
            try await ping(base)
            return base
        } catch let error as EscaleError where isInsecure && base.isSecure && Self.isNoTLS(error) {
            let plain = HTTPURL(
                isSecure: false,
                host: base.host,
                port: base.port == 443 && !host.hasSuffix(":443") ? 80 : base.port,
                target: "/"
            )
            try await ping(plain)
            return plain
        } catch let error as EscaleError where error.code == .httpNoTLS || error.code == .httpUntrusted {
            throw EscaleError(
                error.code,
                error.message,
                hint: error.code == .httpNoTLS
                    ? "if it speaks plain HTTP, write `insecure: true` for \(host) in /etc/escale/registries.yaml"
                    : "put the certificate of who signed its own into /etc/escale/certs.d/\(host)/ca.crt"
            )
        }
    }

    private static func isNoTLS(_ error: EscaleError) -> Bool {
        [.httpNoTLS, .httpConnectFailed, .httpUnreachable, .httpInterrupted, .httpFailed].contains(error.code)
    }

    private func ping(_ url: HTTPURL) async throws {
        let response = try await client(url).send(
            HTTPRequest(.get, target: "/v2/"),
            timeout: .seconds(30),
            bodyLimit: ByteCount(1 << 20)
        )
        switch response.status.rawValue {
        case 200..<300: challenge = nil
        case 401:
            challenge = response.headers.all("WWW-Authenticate").flatMap(Challenge.parse).first(
                where: \.isKnown
            )
            guard challenge != nil else {
                throw EscaleError.notARegistry(host, "it asks for a login of a kind that is not known here")
            }
        case 404: throw EscaleError.notARegistry(host, "it has no /v2/")
        default:
            throw Refused(
                status: response.status,
                retryAfter: response.headers["Retry-After"].flatMap { Int($0) },
                error: .registry(
                    response.status,
                    response.body,
                    host: host,
                    what: "its API",
                    isLoggedIn: credential != nil
                )
            )
        }
    }

    private func client(_ url: HTTPURL) throws -> HTTPClient {
        let key = HTTPURL(isSecure: url.isSecure, host: url.host, port: url.port, target: "/")
        if let known = clients[key] { return known }
        var trust = TLSTrust()
        trust.verifies = !isInsecure || settings.authority != nil
        trust.authority = settings.authority
        if url.sharesOrigin(with: base) {
            (trust.certificate, trust.key) = (settings.certificate, settings.key)
        }
        let client = try HTTPClient(
            url.isSecure ? .tls(host: url.host, port: url.port, trust) : .tcp(host: url.host, port: url.port),
            connectTimeout: .seconds(10),
            route: Self.isLoopback(url.host) ? .direct : .byEnvironment
        )
        clients[key] = client
        return client
    }
}

// MARK: Who asks

extension RegistryConnection {
    /// The `Authorization` for these scopes; `nil` where nobody asked for one.
    private func authorization(_ scopes: [String]) async throws -> String? {
        guard let challenge else { return nil }
        if challenge.scheme == "basic" {
            guard let credential else { return nil }
            sentBasic = true
            return "Basic " + Self.base64("\(credential.username):\(credential.password)")
        }
        return "Bearer " + (try await token(scopes, challenge))
    }

    private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    private struct Token: Decodable {
        let token: String?
        let access_token: String?
        let expires_in: Double?
    }

    private func token(_ scopes: [String], _ challenge: Challenge) async throws -> String {
        let key = scopes.joined(separator: " ")
        if let known = tokens[key], known.until > .now { return known.value }
        guard let realm = challenge.parameters["realm"].flatMap({ HTTPURL($0) }),
            realm.isSecure || isInsecure || session?.isSecure == false
        else {
            throw EscaleError.notARegistry(
                host,
                "it names no place to log in: \((challenge.parameters["realm"] ?? "").prefix(200))"
            )
        }
        let wanted = scopes.isEmpty ? challenge.parameters["scope"].map { [$0] } ?? [] : scopes
        var query = HTTPQuery()
        if let service = challenge.parameters["service"] { query.add("service", service) }
        for scope in wanted { query.add("scope", scope) }
        let request: HTTPRequest
        if let identity = credential?.identityToken {
            query.add("grant_type", "refresh_token")
            query.add("refresh_token", identity)
            query.add("client_id", "escale")
            request = HTTPRequest(
                .post,
                target: realm.target,
                headers: ["Content-Type": "application/x-www-form-urlencoded"],
                body: Array(query.encoded.utf8)
            )
        } else {
            let joint = realm.target.contains("?") ? "&" : "?"
            var headers = HTTPHeaders()
            if let credential {
                query.add("account", credential.username)
                headers["Authorization"] =
                    "Basic " + Self.base64("\(credential.username):\(credential.password)")
            }
            request = HTTPRequest(.get, target: realm.target + joint + query.encoded, headers: headers)
        }
        let response = try await client(realm).send(
            request,
            timeout: .seconds(30),
            bodyLimit: ByteCount(1 << 20)
        )
        guard response.status.isSuccess else {
            throw Refused(
                status: response.status,
                retryAfter: response.headers["Retry-After"].flatMap { Int($0) },
                error: .registry(
                    response.status,
                    response.body,
                    host: host,
                    what: wanted.first ?? "its API",
                    isLoggedIn: credential != nil
                )
            )
        }
        guard let answer = try? JSONDecoder().decode(Token.self, from: Data(response.body)),
            let token = answer.token ?? answer.access_token, !token.isEmpty
        else { throw EscaleError.notARegistry(host, "its login server gives no token") }
        // A minute is what a token lasts where the server doesn't say; a little less is used.
        let seconds = min(max(answer.expires_in ?? 60, 60), 3600) - 10
        tokens[key] = (token, .now + .milliseconds(Int(seconds * 1000)))
        return token
    }
}

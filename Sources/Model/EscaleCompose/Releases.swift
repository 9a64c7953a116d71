package import EscaleCore

/// `deploy.update_config` or `deploy.rollback_config`: how replicas are exchanged, as the Compose Deploy Specification
/// words it.
package struct UpdateConfig: Codable, Hashable, Sendable {
    package enum Order: String, Codable, Sendable, CaseIterable {
        case stopFirst = "stop-first"
        case startFirst = "start-first"
    }

    package enum FailureAction: String, Codable, Sendable, CaseIterable { case `continue`, pause, rollback }

    /// How many replicas are exchanged at a time; 0 for all at once.
    package var parallelism: Int = 1
    /// Between one batch and the next.
    package var delay: Duration = .zero
    package var failureAction: FailureAction = .pause
    /// How long a replica is watched for failure after it is ready.
    package var monitor: Duration = .seconds(5)
    /// The share of replicas that may fail, 0...1.
    package var maxFailureRatio: Double = 0
    /// `nil` where the file says nothing: start-first unless the service writes a volume.
    package var order: Order?

    package init() {}
}

/// `x-escale.release` of a service: what the Compose Specification has no word for.
package struct ReleaseSettings: Codable, Hashable, Sendable {
    package enum Strategy: String, Codable, Sendable, CaseIterable { case rolling, blueGreen = "blue-green", canary }

    /// A share of the traffic for the new version, and how long it stays at it.
    package struct CanaryStep: Codable, Hashable, Sendable {
        package enum Pause: Codable, Hashable, Sendable {
            case lasting(Duration)
            /// Until somebody promotes.
            case manual
        }

        /// Percent, 1...100.
        package var weight: Int
        package var pause: Pause

        package init(weight: Int, pause: Pause) {
            self.weight = weight
            self.pause = pause
        }
    }

    /// Where the new version can be looked at before it gets traffic.
    package struct Preview: Codable, Hashable, Sendable {
        /// A host name at the service's own `x-escale.http` ports.
        package var host: String?
        /// A port of the host, on loopback, that leads to the new version alone.
        package var port: UInt16?

        package init(host: String? = nil, port: UInt16? = nil) {
            self.host = host
            self.port = port
        }
    }

    package var strategy: Strategy = .rolling
    /// For canary; ascending.
    package var steps: [CanaryStep] = []
    package var analysis: Analysis?
    /// How long connections of a replica that gets no new ones may go on.
    package var drain: Duration = .seconds(10)
    /// How long a replica has to be ready before it counts; `nil` for at once where it is checked, else half a second.
    package var minHealthy: Duration?
    /// For blue-green: how long the old version stays ready to come back.
    package var keepWarm: Duration = .seconds(60)
    /// For blue-green: whether the switch waits for `escale release promote`.
    package var promotesByHand = false
    package var preview: Preview?
    /// For canary: whether a client that was given to one version stays with it.
    package var isSticky = false
    /// The request header whose value `new` or `old` chooses the version.
    package var overrideHeader = "X-Escale-Release"
    /// The cookie that does the same.
    package var overrideCookie = "escale-release"
    /// Whether two generations may write the same volume at the same time.
    package var sharesVolumes = false

    package init() {}
}

/// `x-escale.release.analysis`: what the new version is judged by. Each limit is optional.
package struct Analysis: Codable, Hashable, Sendable {
    /// What happens when there was too little traffic to judge.
    package enum Inconclusive: String, Codable, Sendable, CaseIterable { case pause, promote, abort }

    /// A query whose first value has to be within the limits.
    package struct Query: Codable, Hashable, Sendable {
        /// The server's base address, such as `http://127.0.0.1:9090`.
        package var server: String
        package var query: String
        package var minimum: Double?
        package var maximum: Double?

        package init(server: String, query: String, minimum: Double? = nil, maximum: Double? = nil) {
            self.server = server
            self.query = query
            self.minimum = minimum
            self.maximum = maximum
        }
    }

    /// Failed requests (5xx and no answer) as a share of all, 0...1.
    package var maxErrorRate: Double?
    package var maxP50: Duration?
    package var maxP95: Duration?
    package var maxP99: Duration?
    /// The new version's error rate may be above the old one's by this much, 0...1.
    package var maxErrorRateIncrease: Double?
    /// The new version's p95 may be this many times the old one's.
    package var maxP95Ratio: Double?
    /// Fewer requests than this are inconclusive.
    package var minRequests: Int = 50
    /// The path that Escale asks each new replica for, so that there is traffic to judge; `nil` for real traffic only.
    package var probePath: String?
    /// How long a switch to the full weight is watched, for blue-green and the end of a canary; also the distance of
    /// judgements during a step.
    package var interval: Duration = .seconds(5)
    package var prometheus: Query?
    /// A command on the host: exit code 0 is good, 1 bad, anything else an error of the analysis.
    package var command: [String]?
    package var inconclusive: Inconclusive = .pause
    /// Judge and write down, but never act on it.
    package var isDryRun = false

    package init() {}
}

/// `x-escale.http` of a service: how the gateway serves it. Also holds, at its defaults, for a port with
/// `app_protocol: http`.
package struct HTTPSettings: Codable, Hashable, Sendable {
    package struct Certificate: Codable, Hashable, Sendable {
        /// Absolute paths of PEM files: the chain and its key. Read again when they change.
        package var certificate: String
        package var key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    package struct RateLimit: Codable, Hashable, Sendable {
        /// Requests that one client address may send within the period.
        package var requests: Int
        package var period: Duration

        package init(requests: Int, period: Duration) {
            self.requests = requests
            self.period = period
        }
    }

    /// Host names that lead here; any, if empty.
    package var hosts: [String] = []
    /// The prefix of paths that lead here; whole segments: `/api` takes `/api/x`, not `/apix`.
    package var path: String = "/"
    /// The container's port; `nil` for the only one that the service exposes or publishes.
    package var containerPort: UInt16?
    /// The host's address to listen at; `nil` for all.
    package var address: String?
    /// The host's port for plain HTTP.
    package var port: UInt16 = 80
    package var tls: Certificate?
    /// The host's port for TLS, with ``tls``.
    package var tlsPort: UInt16 = 443
    /// Whether plain HTTP is answered with a redirect to https, with ``tls``.
    package var redirectsToTLS = true
    /// How long the service may take to answer: from the whole request to the answer's head.
    package var timeout: Duration = .seconds(60)
    /// How long a connection may be silent within a request, an answer or between two requests.
    package var idleTimeout: Duration = .seconds(60)
    /// How long a WebSocket or another tunnel may be silent.
    package var tunnelTimeout: Duration = .seconds(3600)
    /// How often a request is tried again on another replica, where that is safe.
    package var retries: Int = 2
    /// `nil` for no limit.
    package var maxBody: ByteCount?
    package var rateLimit: RateLimit?
    /// The cookie by which a client stays with its replica; `nil` for none.
    package var stickyCookie: String?
    /// How long requests wait while no replica is there, such as during a stop-first replacement.
    package var hold: Duration = .seconds(30)
    /// Failed answers in a row after which a replica gets no requests until it is tried again; 0 for never.
    package var ejectAfter: Int = 20
    /// How long an ejected replica rests before it is tried.
    package var ejectFor: Duration = .seconds(10)
    /// Whether clients send the PROXY protocol's header first.
    package var acceptsProxyProtocol = false
    /// Whether the containers are told the client by the PROXY protocol.
    package var sendsProxyProtocol = false

    package init() {}
}

/// What a port speaks, where the file says it (`app_protocol`) and the gateway cares. gRPC is HTTP/2.
package enum ApplicationProtocol: String, Codable, Sendable, CaseIterable { case http, http2, https, grpc }

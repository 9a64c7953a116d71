package import EscaleCompose
package import EscaleCore
package import EscaleNetlink

/// All that the gateway of one instance serves. Empty: no HAProxy runs.
package struct GatewayState: Hashable, Codable, Sendable {
    package var listeners: [GatewayListener]
    package var backends: [GatewayBackend]
    /// The host's address that replicas see the gateway at; `nil` for whatever routing gives.
    package var source: IPv4Address?

    package init(
        listeners: [GatewayListener] = [], backends: [GatewayBackend] = [], source: IPv4Address? = nil
    ) {
        self.listeners = listeners
        self.backends = backends
        self.source = source
    }
}

/// One address and port of the host.
package struct GatewayListener: Hashable, Codable, Sendable {
    package enum Security: Hashable, Codable, Sendable {
        case plain
        /// With the certificates of all routes of the port; the client's SNI chooses, the first is for those without.
        case tls([HTTPSettings.Certificate])
        /// The container speaks TLS itself: connections are passed on by SNI, unread.
        case passthrough
    }

    /// `nil` for all of the host's addresses, IPv6 among them where the host has any.
    package var hostAddress: IPv4Address?
    package var port: UInt16
    package var security: Security
    package var acceptsProxyProtocol: Bool
    package var routes: [GatewayRoute]

    package init(
        hostAddress: IPv4Address? = nil, port: UInt16, security: Security = .plain, acceptsProxyProtocol: Bool = false,
        routes: [GatewayRoute]
    ) {
        self.hostAddress = hostAddress
        self.port = port
        self.security = security
        self.acceptsProxyProtocol = acceptsProxyProtocol
        self.routes = routes
    }

    /// `*:80` or `127.0.0.1:80`.
    var address: String { "\(hostAddress?.description ?? "*"):\(port)" }
}

/// Which requests go where. The most specific route wins, whatever the order: an exact host before a `*.wildcard`
/// before none, then the longest path. A wildcard stands for one label.
package struct GatewayRoute: Hashable, Codable, Sendable {
    package enum Versions: String, Codable, Sendable, CaseIterable { case all, newOnly, oldOnly }

    package enum Target: Hashable, Codable, Sendable {
        /// `newOnly` and `oldOnly` answer 503 where that version has no replica; `all` never leaves a version alone.
        case backend(BackendName, versions: Versions)
        /// 308 to https at that port.
        case redirectToTLS(UInt16)
    }

    /// Empty for any.
    package var hosts: [String]
    /// A prefix of whole segments.
    package var path: String
    package var target: Target

    package init(hosts: [String] = [], path: String = "/", target: Target) {
        self.hosts = hosts
        self.path = path
        self.target = target
    }
}

/// The replicas behind routes, and how they are treated.
package struct GatewayBackend: Hashable, Codable, Sendable {
    package var name: BackendName
    /// Time-outs, retries, limits, sticky cookie, hold, ejection, PROXY protocol to the container. Hosts, ports and
    /// certificates in it say nothing here: see ``GatewayListener``.
    package var settings: HTTPSettings
    package var applicationProtocol: ApplicationProtocol
    /// Whether there are views of one version: for overrides, previews and sticky canaries.
    package var hasVersions: Bool
    /// The header and the cookie whose value `new` or `old` chooses the version, with ``hasVersions``.
    package var overrideHeader: String
    package var overrideCookie: String
    /// Whether a client stays with the version that it was given to, with ``hasVersions``.
    package var isSticky: Bool
    /// The new version's share in percent; `nil` for each replica the same (by its weight).
    package var newShare: Int?
    package var servers: [GatewayServer]

    package init(
        name: BackendName, settings: HTTPSettings = HTTPSettings(), applicationProtocol: ApplicationProtocol = .http,
        hasVersions: Bool = false, overrideHeader: String = "X-Escale-Release",
        overrideCookie: String = "escale-release", isSticky: Bool = false, newShare: Int? = nil,
        servers: [GatewayServer] = []
    ) {
        self.name = name
        self.settings = settings
        self.applicationProtocol = applicationProtocol
        self.hasVersions = hasVersions
        self.overrideHeader = overrideHeader
        self.overrideCookie = overrideCookie
        self.isSticky = isSticky
        self.newShare = newShare
        self.servers = servers
    }
}

/// One replica.
package struct GatewayServer: Hashable, Codable, Sendable {
    package var container: ContainerID
    package var address: IPv4Address
    package var port: UInt16
    /// Of the release it belongs to; for people, no decision depends on it.
    package var generation: Int
    /// Whether it is of the new version while there are two.
    package var isNew: Bool
    /// Against the other replicas of its version, 1...256.
    package var weight: Int
    /// `false`: it gets no new requests, those under way finish.
    package var isTaking: Bool

    package init(
        container: ContainerID, address: IPv4Address, port: UInt16, generation: Int = 1, isNew: Bool = false,
        weight: Int = 1, isTaking: Bool = true
    ) {
        self.container = container
        self.address = address
        self.port = port
        self.generation = generation
        self.isNew = isNew
        self.weight = weight
        self.isTaking = isTaking
    }
}

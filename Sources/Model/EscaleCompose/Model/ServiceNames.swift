package import EscaleCore

/// How names are found from inside a service's containers, and which ones they have themselves.
package struct ServiceNames: Codable, Hashable, Sendable {
    package var domain: String?
    /// Addresses of servers to ask instead of Escale's resolver.
    package var servers: [String] = []
    package var resolverOptions: [String] = []
    package var searchDomains: [String] = []
    package var extraHosts: [HostEntry] = []
    package var links: [ServiceLink] = []
    package var externalLinks: [ExternalLink] = []
    /// In lower case with colons.
    package var macAddress: String?

    package init() {}
}

/// A name with its addresses, as in `/etc/hosts`.
package struct HostEntry: Codable, Hashable, Sendable {
    package var name: String
    /// IPv4 or IPv6 without brackets, or `host-gateway`.
    package var addresses: [String]

    package init(name: String, addresses: [String]) {
        self.name = name
        self.addresses = addresses
    }
}

/// Another service under a name that counts for this one only.
package struct ServiceLink: Codable, Hashable, Sendable {
    package var service: ServiceName
    package var alias: String?

    package init(service: ServiceName, alias: String? = nil) {
        self.service = service
        self.alias = alias
    }
}

/// A container of somebody else's, under a name.
package struct ExternalLink: Codable, Hashable, Sendable {
    package var container: String
    package var alias: String?

    package init(container: String, alias: String? = nil) {
        self.container = container
        self.alias = alias
    }
}

/// Other containers' volumes, all of them.
package struct VolumesSource: Codable, Hashable, Sendable {
    package enum Owner: Codable, Hashable, Sendable {
        case service(ServiceName)
        case container(String)
    }

    package var owner: Owner
    package var readOnly: Bool

    package init(_ owner: Owner, readOnly: Bool = false) {
        self.owner = owner
        self.readOnly = readOnly
    }
}

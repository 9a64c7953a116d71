package import EscaleCore

/// `x-escale.autoscale`: how many replicas there are when it is busy. One machine goes by `replicas`.
package struct Autoscale: Codable, Hashable, Sendable {
    package var least: Int
    package var most: Int
    /// The processor time that replicas are to use on average, in percent of what they ask for.
    package var processor: Int

    package init(least: Int, most: Int, processor: Int) {
        self.least = least
        self.most = most
        self.processor = processor
    }
}

/// `x-escale.external`: a service of the file that somebody else runs, such as a managed PostgreSQL. The others reach it by the
/// service's name, as if it ran beside them.
package struct ExternalService: Codable, Hashable, Sendable {
    /// The service whose place it takes.
    package var service: ServiceName
    /// A name or an address.
    package var host: String
    package var port: UInt16
    /// The key of the project's secret with its password; in a cluster it is there already.
    package var secret: String?
    /// The networks on which others know it by its name, and what else it is called there; `nil` as long as the service is one
    /// of the project's, see ``Project/runHere``.
    package var networks: [NetworkAttachment]?

    package init(service: ServiceName, host: String, port: UInt16) {
        self.service = service
        self.host = host
        self.port = port
    }

    /// Whether the host is no name.
    package var isAddress: Bool {
        host.contains(":") || (host.split(separator: ".").count == 4 && host.allSatisfy { $0.isNumber || $0 == "." })
    }

    /// The host and the port, for people.
    package var address: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension Project {
    /// The project as one machine runs it: without the services that somebody else runs, of which only their names are left.
    package var runHere: Project {
        var project = self
        for index in (external ?? []).indices {
            guard let external = project.external?[index], let service = service(external.service) else { continue }
            project.external?[index].networks = service.networks
            project.services.removeAll { $0.name == service.name }
        }
        return project
    }

    /// The services that somebody else runs and that therefore have no containers here. Empty before ``runHere``.
    package var elsewhere: [ExternalService] { (external ?? []).filter { $0.networks != nil && service($0.service) == nil } }

    package func elsewhere(_ name: ServiceName) -> ExternalService? { elsewhere.first { $0.service == name } }
}

extension EscaleError {
    /// That nothing can be done here with a service that somebody else runs.
    package static func serviceElsewhere(_ external: ExternalService) -> Self {
        Self(
            .init("service.elsewhere"),
            "service \(external.service) has no container here: somebody else runs it, at \(external.address)",
            hint: "`x-escale.external` says so; remove \(external.service) from it to run it here")
    }
}

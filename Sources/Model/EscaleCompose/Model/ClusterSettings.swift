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

    package init(service: ServiceName, host: String, port: UInt16) {
        self.service = service
        self.host = host
        self.port = port
    }

    /// Whether the host is no name.
    package var isAddress: Bool {
        host.contains(":") || (host.split(separator: ".").count == 4 && host.allSatisfy { $0.isNumber || $0 == "." })
    }
}

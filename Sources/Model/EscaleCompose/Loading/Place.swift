import EscaleCore

/// A part of the project whose position the validation needs.
enum Place: Hashable {
    case service(String)
    case resource(Resource, String)
    case dependency(of: String, on: String)
    case use(Resource, String, by: String)
    /// A service's member of `x-escale.external`.
    case external(String)
    /// An attribute of a service by its path in it, such as `x-escale.http`.
    case attribute(String, of: String)

    /// What services share and name by key.
    enum Resource: String, Hashable {
        case network, volume, secret, config, model

        /// The top-level key that declares it.
        var section: String { rawValue + "s" }
    }
}

/// A host port as the file publishes it.
struct PublishedPort {
    let service: ServiceName
    let port: UInt16
    let mapping: PortMapping
    let position: SourcePosition
}

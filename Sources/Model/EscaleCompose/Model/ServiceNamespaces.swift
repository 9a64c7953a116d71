package import EscaleCore

/// The namespaces that a service's containers share with others. `nil` is one of the container's own.
package struct ServiceNamespaces: Codable, Hashable, Sendable {
    package var network: NamespaceMode?
    package var ipc: NamespaceMode?
    package var pid: NamespaceMode?
    package var uts: NamespaceMode?
    package var user: NamespaceMode?
    package var cgroup: NamespaceMode?
    /// The control group below which the containers' are made.
    package var cgroupParent: String?

    package init() {}

    /// The services whose namespaces are joined, with the attributes that say so.
    package var services: [(attribute: String, name: ServiceName)] {
        [("network_mode", network), ("ipc", ipc), ("pid", pid), ("uts", uts), ("userns_mode", user)]
            .compactMap { attribute, mode in
                if case .service(let name) = mode { (attribute, name) } else { nil }
            }
    }
}

/// Whose namespace a container is in.
package enum NamespaceMode: Codable, Hashable, Sendable {
    /// A word such as `host`, `none`, `private` or `shareable`, or the name of a network.
    case named(String)
    case service(ServiceName)
    /// A container that somebody else made.
    case container(String)

    package var text: String {
        switch self {
        case .named(let word): word
        case .service(let name): "service:\(name)"
        case .container(let name): "container:\(name)"
        }
    }
}

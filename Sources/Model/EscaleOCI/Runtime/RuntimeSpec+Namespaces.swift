/// What a container may share with others or the host.
package enum NamespaceKind: String, Codable, Hashable, Sendable { case network, ipc, pid, uts }

/// Whose a namespace is that is not the container's own.
package enum NamespaceOwner: Codable, Hashable, Sendable {
    case host
    /// Whoever is in the namespace that this file of `/proc` stands for.
    case file(String)
}

extension RuntimeSpec {
    static func namespaces(_ spec: ContainerSpec) -> [Namespace] {
        let kinds = ["pid", "network", "ipc", "uts", "mount"] + (spec.hasCgroupNamespace == true ? ["cgroup"] : [])
        return kinds.compactMap { kind in
            switch NamespaceKind(rawValue: kind).flatMap({ spec.namespaces?[$0] }) {
            case nil: Namespace(type: kind)
            case .host: nil
            case .file(let path): Namespace(type: kind, path: path)
            }
        }
    }
}

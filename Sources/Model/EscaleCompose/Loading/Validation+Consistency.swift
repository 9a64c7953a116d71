import EscaleCore

/// Attributes of one service that don't fit together, or not with the project's networks.
extension Validation {
    /// An image that is built for other platforms than it is run on.
    func checkPlatform(of service: Service) {
        guard let platform = service.imageSettings?.platform, let built = service.build?.options?.platforms,
            !built.contains(platform)
        else { return }
        context.error(
            "compose.platform",
            "services.\(service.name) runs on \(platform), but is built for \(Field.listed(built)) only",
            at: place(.attribute("platform", of: service.name.rawValue)),
            hint: "add \(platform) to build.platforms, or remove one of the two"
        )
    }

    /// Images of services that are contexts of a build.
    func checkContexts(of service: Service) {
        for (name, source) in (service.build?.options?.contexts ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard source.hasPrefix("service:") else { continue }
            let other = ServiceName(rawValue: String(source.dropFirst(8)))
            guard place(.service(other.rawValue)) == nil else { continue }
            context.error(
                "compose.build.context",
                "services.\(service.name).build.additional_contexts: \(name) names \"\(other)\", which is no service",
                at: place(.attribute("build.additional_contexts", of: service.name.rawValue)),
                hint: Suggestion.nearest(to: other.rawValue, among: project.services.map(\.name.rawValue))
                    .map { "did you mean \"\($0)\"?" } ?? "name a service that has a `build`"
            )
        }
    }

    /// A container has one interface, which is that of its first network.
    func checkInterface(of service: Service) {
        guard let first = service.orderedNetworks.first?.network else { return }
        for attachment in service.networks where attachment.network != first {
            let options = attachment.options
            for (attribute, value) in [("mac_address", options?.macAddress), ("interface_name", options?.interfaceName)] {
                guard value != nil else { continue }
                context.error(
                    "compose.interface",
                    "services.\(service.name).networks.\(attachment.network).\(attribute): a container has one interface for all of its networks, which goes by \(first)",
                    at: place(.attribute("networks.\(attachment.network).\(attribute)", of: service.name.rawValue)),
                    hint: "write it at networks.\(first), or give \(attachment.network) a higher `priority`"
                )
            }
        }
    }

    /// Fixed addresses: inside the network's subnet, and of one service and one replica only.
    func checkAddresses() {
        let networks = Dictionary(project.networks.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        var owners: [String: ServiceName] = [:]
        for service in project.services {
            for attachment in service.networks {
                guard let options = attachment.options, let network = networks[attachment.network] else { continue }
                let fixed = [("ipv4_address", options.ipv4Address), ("ipv6_address", options.ipv6Address)]
                for case (let attribute, let address?) in fixed {
                    let position = place(.attribute("networks.\(network.key).\(attribute)", of: service.name.rawValue))
                    check(address, of: service, on: network, at: position)
                    // However it is written.
                    let key = "\(network.key) \(HostAddress.bytes(of: address) ?? [])"
                    if let owner = owners[key] {
                        context.error(
                            "compose.address.twice",
                            "services.\(service.name) has the same address on \(network.key) as \(owner): \(address)",
                            at: position,
                            hint: "choose another address for one of them"
                        )
                    }
                    owners[key] = service.name
                }
            }
        }
    }

    private func check(_ address: String, of service: Service, on network: Network, at position: SourcePosition?) {
        if service.replicas > 1 {
            context.error(
                "compose.address.replicas",
                "services.\(service.name) has \(service.replicas) replicas, but all are to have the address \(address)",
                at: position,
                hint: "remove the address; the service is reached by its name"
            )
        }
        let pools = network.options?.addresses?.pools ?? []
        for pool in pools {
            let taken = pool.taken.sorted { $0.key < $1.key }.map { ($0.value, "aux_addresses keep it for \($0.key)") }
            let gateway = pool.gateway.map { ($0, "it is the network's gateway") }
            for (other, reason) in taken + [gateway].compactMap({ $0 }) where HostAddress.isSame(other, address) {
                context.error(
                    "compose.address.taken",
                    "services.\(service.name) can't have \(address) on networks.\(network.key): \(reason)",
                    at: position,
                    hint: "choose another address"
                )
            }
        }
        guard !network.isExternal, let bytes = HostAddress.bytes(of: address), let family = HostAddress.family(of: address)
        else { return }
        if family == .v6 && !network.hasIPv6 {
            context.error(
                "compose.address.ipv6",
                "services.\(service.name) has the address \(address), but networks.\(network.key) has no IPv6 addresses",
                at: position,
                hint: "write enable_ipv6: true at networks.\(network.key), or remove ipv6_address"
            )
            return
        }
        let subnets = pools.compactMap(\.subnet).compactMap(Subnet.init).filter { $0.family == family }
        if subnets.contains(where: { $0.contains(bytes) }) { return }
        context.error(
            "compose.address.subnet",
            subnets.isEmpty
                ? "services.\(service.name) has the address \(address), but networks.\(network.key) names no \(family == .v4 ? "IPv4" : "IPv6") subnet"
                : "services.\(service.name): \(address) lies outside of the subnet of networks.\(network.key)",
            at: position,
            hint: "give the network a subnet that holds it: ipam: {config: [{subnet: …}]}"
        )
    }

    /// What others can't have of a service that somebody else runs.
    func check(_ external: ExternalService) {
        guard let service = project.service(external.service) else { return }
        for other in project.services where other.name != service.name {
            var shared = (other.namespaces?.services ?? []).filter { $0.name == service.name }.map(\.attribute)
            if other.volumesFrom?.contains(where: { $0.owner == .service(service.name) }) == true { shared.append("volumes_from") }
            if other.build?.options?.serviceContexts.contains(service.name) == true { shared.append("build.additional_contexts") }
            for attribute in shared {
                context.error(
                    "compose.external",
                    "services.\(other.name).\(attribute) names \(service.name), which has no container: somebody else runs it",
                    at: place(.dependency(of: other.name.rawValue, on: service.name.rawValue))
                        ?? place(.external(service.name.rawValue)),
                    hint: "remove \(attribute), or \(service.name) from x-escale.external"
                )
            }
        }
        let internals = Set(project.networks.filter(\.isInternal).map(\.key))
        let known = Set(service.networks.map(\.network))
        let cut = project.services.filter { other in
            let networks = Set(other.networks.map(\.network))
            return other.name != service.name && project.external?.contains { $0.service == other.name } == false
                && !networks.isDisjoint(with: known) && networks.isSubset(of: internals)
        }
        guard let first = cut.first else { return }
        context.warning(
            "compose.external.internal",
            "x-escale.external.\(service.name): from an internal network nobody gets to \(external.host), and "
                + "\(cut.map(\.name.rawValue).joined(separator: ", ")) \(cut.count == 1 ? "is" : "are") on no other",
            at: place(.external(service.name.rawValue)),
            hint: "put \(first.name) on a network that is not `internal` too"
        )
    }

    /// Volumes in memory, which are each container's own.
    func checkVolumes() {
        for volume in project.volumes where volume.options?.driverOptions?["type"] == "tmpfs" {
            let users = project.services.filter { service in
                service.mounts.contains { $0.source == .volume(key: volume.key) } && service.replicas > 0
            }
            guard users.count > 1 || users.contains(where: { $0.replicas > 1 }) else { continue }
            context.refuse(
                "volumes.\(volume.key): a tmpfs can't be shared by several containers",
                at: place(.resource(.volume, volume.key)),
                hint: "leave out driver_opts, or let one container have it")
        }
    }

    /// Namespaces that are another service's and that it keeps to itself, or doesn't have.
    func checkNamespaces(of service: Service) {
        for (attribute, name) in service.namespaces?.services ?? [] where attribute == "ipc" {
            let mode = project.service(name)?.namespaces?.ipc
            guard mode == .named("private") || mode == .named("none") else { continue }
            context.error(
                "compose.namespace.conflict",
                "services.\(service.name).ipc: \(name) shares its IPC namespace with nobody",
                at: place(.dependency(of: service.name.rawValue, on: name.rawValue)),
                hint: "write ipc: shareable at \(name)"
            )
        }
    }
}

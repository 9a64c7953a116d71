import EscaleCore
import EscaleYAML

/// Networks, volumes and models of the project, and a service's place on networks.
extension ProjectRenderer {
    static func networks(_ project: Project) -> YAMLValue? {
        mapOrNothing(
            project.networks.sorted { $0.key < $1.key }.map { network in
                let options = network.options ?? NetworkOptions()
                var members = Members()
                members.add("name", text(network.name.rawValue))
                members.add("driver", options.driver.map(text))
                members.add("driver_opts", options.driverOptions.flatMap(pairs))
                members.add("ipam", options.addresses.map(addresses))
                members.add("external", flag(network.isExternal))
                members.add("internal", flag(network.isInternal))
                members.add("attachable", flag(options.isAttachable))
                members.add("labels", pairs(network.labels))
                members.add("enable_ipv4", options.enablesIPv4.map { .bool($0) })
                members.add("enable_ipv6", options.enablesIPv6.map { .bool($0) })
                return .init(network.key, members.map)
            }
        )
    }

    private static func addresses(_ addresses: AddressManagement) -> YAMLValue {
        let pools = addresses.pools.map { pool in
            var members = Members()
            members.add("subnet", pool.subnet.map(text))
            members.add("gateway", pool.gateway.map(text))
            members.add("ip_range", pool.range.map(text))
            members.add("aux_addresses", pairs(pool.taken))
            return members.map
        }
        var members = Members()
        members.add("driver", addresses.driver.map(text))
        members.add("config", pools.isEmpty ? nil : .list(pools))
        members.add("options", pairs(addresses.options))
        return members.map
    }

    static func volumes(_ project: Project) -> YAMLValue? {
        mapOrNothing(
            project.volumes.sorted { $0.key < $1.key }.map { volume in
                var members = Members()
                members.add("name", text(volume.name.rawValue))
                members.add("driver", volume.options?.driver.map(text))
                members.add("driver_opts", volume.options?.driverOptions.flatMap(pairs))
                members.add("external", flag(volume.isExternal))
                members.add("labels", pairs(volume.labels))
                members.add("x-escale", volume.size.map { .object(["size": bytes($0)]) })
                return .init(volume.key, members.map)
            }
        )
    }

    static func models(_ project: Project) -> YAMLValue? {
        mapOrNothing(
            (project.models ?? []).map { model in
                var members = Members()
                members.add("name", text(model.name))
                members.add("model", text(model.model))
                members.add("context_size", model.contextSize.map(count))
                members.add("runtime_flags", list(model.runtimeFlags))
                return .init(model.key, members.map)
            }
        )
    }

    static func networks(_ service: Service) -> YAMLValue? {
        mapOrNothing(
            service.networks.map { attachment in
                let options = attachment.options ?? AttachmentOptions()
                var members = Members()
                members.add("aliases", list(attachment.aliases))
                members.add("driver_opts", options.driverOptions.flatMap(pairs))
                members.add("gw_priority", options.gatewayPriority.map(count))
                members.add("interface_name", options.interfaceName.map(text))
                members.add("ipv4_address", options.ipv4Address.map(text))
                members.add("ipv6_address", options.ipv6Address.map(text))
                members.add("link_local_ips", options.linkLocalAddresses.flatMap(list))
                members.add("mac_address", options.macAddress.map(text))
                members.add("priority", options.priority.map(count))
                return .init(attachment.network, members.filledMap ?? .null)
            }
        )
    }
}

extension ComposeAttribute {
    /// Networks, a service's place on them, and the ports that are published.
    static let networkingAttributes: [ComposeAttribute] =
        executed(.network, "name", "internal", "external", "driver")
        + accepted(.network, "attachable", "it concerns containers that are started by hand")
        + accepted(
            .network,
            "labels",
            "nothing here goes by them; they are kept and shown by `escale config`"
        )
        + accepted(.networkExternal, "name", "the old form of `name` beside `external: true`")
        + warned(.network, "driver_opts", instead: "the options are left out")
        + warned(.network, "ipam", instead: "Escale chooses the subnet")
        + warned(.ipam, "driver", "config", "options", instead: "Escale chooses the subnet")
        + warned(
            .ipamPool,
            "subnet",
            "ip_range",
            "gateway",
            "aux_addresses",
            instead: "Escale chooses the subnet"
        )
        + warned(.network, "enable_ipv4", instead: "containers have IPv4 addresses", harmless: ["true"])
        + warned(.network, "enable_ipv6", instead: "containers have IPv4 addresses only", harmless: ["false"])
        + executed(.serviceNetwork, "aliases")
        + warned(
            .serviceNetwork,
            "priority",
            "gw_priority",
            instead: "the order of networks has no meaning here",
            harmless: ["0"]
        )
        + warned(.serviceNetwork, "driver_opts", instead: "the options are left out")
        + refused(
            .serviceNetwork,
            "ipv4_address",
            "ipv6_address",
            "link_local_ips",
            "mac_address",
            "interface_name",
            hint: "Escale chooses the addresses; reach the service by its name"
        )
        + executed(.port, "target", "published", "host_ip", "protocol", "name", "app_protocol")
        + warned(
            .port,
            "mode",
            instead: "every published port is balanced over the replicas",
            harmless: ["ingress"]
        )
}

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
        + executed(.network, "driver_opts", "ipam", "enable_ipv6")
        + executed(.ipam, "config")
        + warned(.ipam, "driver", instead: "Escale gives the addresses out itself", harmless: ["default"])
        + warned(.ipam, "options", instead: "Escale gives the addresses out itself")
        + executed(.ipamPool, "subnet", "ip_range", "gateway", "aux_addresses")
        + warned(.network, "enable_ipv4", instead: "containers have IPv4 addresses", harmless: ["true"])
        + executed(
            .serviceNetwork,
            "aliases",
            "priority",
            "gw_priority",
            "ipv4_address",
            "ipv6_address",
            "mac_address",
            "interface_name"
        )
        + warned(.serviceNetwork, "driver_opts", instead: "the options are left out")
        + refused(
            .serviceNetwork,
            "link_local_ips",
            hint: "containers share no link, so that such an address reaches nobody: give it an ipv4_address"
        )
        + executed(.port, "target", "published", "host_ip", "protocol", "name", "app_protocol", "mode")
}

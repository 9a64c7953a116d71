extension ComposeAttribute {
    /// Attributes of the mappings inside a service.
    static let servicePartAttributes: [ComposeAttribute] =
        buildAttributes + deployAttributes + mountAttributes + updateAttributes + releaseAttributes
        + gatewayAttributes
        + executed(.dependency, "condition", "restart", "required")
        + executed(.environmentFile, "path", "required", "format")
        + executed(
            .healthcheck,
            "test",
            "interval",
            "timeout",
            "retries",
            "start_period",
            "start_interval",
            "disable"
        )
        + executed(.serviceNetwork, "aliases")
        + warned(
            .serviceNetwork,
            "priority",
            "gw_priority",
            instead: "the order of networks has no meaning here"
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
        + executed(.serviceSecret, "source", "target")
        + refused(
            .serviceSecret,
            "uid",
            "gid",
            "mode",
            hint: "secrets are read-only files that belong to root and everybody in the container can read"
        )

    private static let buildAttributes: [ComposeAttribute] =
        executed(.build, "context", "dockerfile", "args", "target")
        + warned(.build, "labels", "tags", "annotations", instead: "the image is built without them")
        + warned(
            .build,
            "cache_from",
            "cache_to",
            "no_cache",
            "pull",
            instead: "the local build cache is used",
            harmless: ["false"]
        )
        + warned(.build, "shm_size", "ulimits", instead: "the build runs with the usual limits")
        + warned(.build, "platforms", instead: "the image is built for this machine's architecture")
        + warned(.build, "provenance", "sbom", instead: "no attestation is made", harmless: ["false"])
        + refused(.build, "dockerfile_inline", hint: "write it to a file and name that under `dockerfile`")
        + refused(.build, "additional_contexts", hint: "use one context, or COPY --from another stage")
        + refused(.build, "secrets", "ssh", hint: "build without it, or fetch what needs it before the build")
        + refused(.build, "network", hint: "builds use the host's connection", harmless: ["default"])
        + refused(.build, "extra_hosts", hint: "give the host a name in the DNS that this machine uses")
        + refused(.build, "privileged", "entitlements", hint: "builds run unprivileged", harmless: ["false"])
        + refused(.build, "isolation", hint: "it is for Windows containers", harmless: ["default"])

    private static let deployAttributes: [ComposeAttribute] =
        executed(.deploy, "replicas", "rollback_config", "update_config")
        + warned(.deploy, "labels", instead: "the service's own labels are used")
        + warned(.deploy, "resources", instead: "the service runs without these limits")
        + warned(.deploy, "restart_policy", instead: "the service's `restart` is used")
        + warned(.deploy, "placement", instead: "everything runs on this machine")
        + warned(
            .deploy,
            "endpoint_mode",
            instead: "the service has one address that is balanced over its replicas",
            harmless: ["vip"]
        )
        + refused(
            .deploy,
            "mode",
            hint: "set the number of replicas with `replicas`",
            harmless: ["replicated"]
        )

    private static let mountAttributes: [ComposeAttribute] =
        executed(.mount, "type", "source", "target", "read_only", "bind", "volume", "tmpfs")
        + accepted(.mount, "consistency", "host and containers see the same files at once")
        + refused(.mount, "image", hint: "copy the files into the service's own image")
        + executed(.mountBind, "create_host_path")
        + warned(.mountBind, "selinux", instead: "files are not relabelled")
        + warned(
            .mountBind,
            "recursive",
            instead: "mounts below the path are visible too",
            harmless: ["enabled"]
        )
        + refused(
            .mountBind,
            "propagation",
            hint: "mounts are private to the container",
            harmless: ["rprivate"]
        )
        + executed(.mountTmpfs, "size", "mode")
        + warned(.mountVolume, "labels", instead: "give labels where the volume is declared")
        + warned(
            .mountVolume,
            "nocopy",
            instead: "an empty volume takes the image's files",
            harmless: ["false"]
        )
        + refused(.mountVolume, "subpath", hint: "use a volume of its own for the directory")

    /// Attributes of networks, volumes and secrets.
    static let resourceAttributes: [ComposeAttribute] =
        executed(.network, "name", "internal", "external", "labels", "driver")
        + accepted(.network, "attachable", "it concerns containers that are started by hand")
        + warned(.network, "driver_opts", instead: "the options are left out")
        + warned(.network, "ipam", instead: "Escale chooses the subnet", harmless: [""])
        + warned(.network, "enable_ipv4", instead: "containers have IPv4 addresses", harmless: ["true"])
        + warned(.network, "enable_ipv6", instead: "containers have IPv4 addresses only", harmless: ["false"])
        + executed(.volume, "name", "external", "labels", "driver")
        + refused(
            .volume,
            "driver_opts",
            hint: "data would end up in another place; mount the directory with a bind mount instead"
        )
        + executed(.secret, "file")
        + accepted(.secret, "name", "a secret of a file is found by its key")
        + warned(.secret, "labels", instead: "the labels are left out")
        + refused(
            .secret,
            "environment",
            "external",
            "driver",
            "driver_opts",
            "template_driver",
            hint: "put the value into a file and name it with `file`",
            harmless: ["false"]
        )
}

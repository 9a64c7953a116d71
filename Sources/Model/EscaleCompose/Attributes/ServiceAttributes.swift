extension ComposeAttribute {
    static let fileAttributes: [ComposeAttribute] =
        executed(.include, "path", "project_directory", "env_file")
        + executed(
            .file, "include", "name", "services", "networks", "volumes", "secrets", "configs", "x-escale"
        )
        + accepted(.file, "version", "obsolete; the loader says so itself")
        + refused(.file, "models", hint: "run the model as a service of its own")
        + refused(
            .model,
            "name",
            "model",
            "context_size",
            "runtime_flags",
            hint: "run the model as a service of its own"
        )

    /// Attributes of a service. A missing limit or label is a warning; what would leave the application broken,
    /// its data elsewhere, or less confined than its file says, is an error.
    static let serviceAttributes: [ComposeAttribute] =
        executed(.extends, "service", "file")
        + executed(
            .service,
            "build",
            "cap_add",
            "cap_drop",
            "command",
            "configs",
            "container_name",
            "depends_on",
            "deploy",
            "entrypoint",
            "env_file",
            "environment",
            "extends",
            "healthcheck",
            "hostname",
            "image",
            "init",
            "label_file",
            "networks",
            "ports",
            "profiles",
            "read_only",
            "restart",
            "scale",
            "secrets",
            "stop_grace_period",
            "stop_signal",
            "tmpfs",
            "tty",
            "user",
            "volumes",
            "working_dir",
            "x-escale"
        )
        + accepted(
            .service,
            "annotations",
            "nothing here goes by them; they are kept and shown by `escale config`"
        )
        + accepted(
            .service,
            "labels",
            "nothing here goes by them; they are kept and shown by `escale config`"
        )
        + accepted(
            .service,
            "expose",
            "every port is reachable on the service's networks anyway; the gateway learns from it which to ask"
        )
        + accepted(
            .service,
            "links",
            "services on a network reach one another by name, so it only says what starts first; an alias is refused"
        )
        + executed(.service, "attach", "develop", "stdin_open")
        + executed(.service, "dns", "dns_opt", "dns_search", "domainname", "extra_hosts", "mac_address")
        + executed(.service, "logging", "platform")
        + executed(.service, "pull_policy", "pull_refresh_after")
        + namespaceAttributes + confinementAttributes
        + refused(
            .service,
            "external_links",
            hint: "put both containers on one network; services on it reach one another by name"
        )
        + refused(.service, "models", "provider", hint: "run it as a service with an image")
        + refused(
            .serviceModel,
            "endpoint_var",
            "model_var",
            hint: "run the model as a service with an image"
        )
        + refused(.provider, "type", "options", hint: "run it as a service with an image")
        + executed(.service, "volumes_from")

    private static let namespaceAttributes: [ComposeAttribute] =
        executed(.service, "cgroup", "cgroup_parent", "ipc", "network_mode", "pid", "userns_mode", "uts")

    private static let confinementAttributes: [ComposeAttribute] =
        refused(
            .service,
            "credential_spec",
            "isolation",
            hint: "it is for Windows containers",
            harmless: ["default"]
        )
        + refused(.credentialSpec, "config", "file", "registry", hint: "it is for Windows containers")
        + refused(
            .service,
            "gpus",
            hint: gpuHint
        )
        + executed(.device, "source", "target", "permissions")
        + refused(
            .gpu,
            "capabilities",
            "count",
            "device_ids",
            "driver",
            "options",
            hint: gpuHint
        )
        + executed(
            .service,
            "device_cgroup_rules",
            "devices",
            "group_add",
            "privileged",
            "runtime",
            "security_opt",
            "sysctls"
        )
        + refused(
            .service,
            "use_api_socket",
            hint: "there is no Docker daemon to talk to",
            harmless: ["false"]
        )
}

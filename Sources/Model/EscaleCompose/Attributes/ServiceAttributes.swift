extension ComposeAttribute {
    static let fileAttributes: [ComposeAttribute] =
        executed(.include, "path", "project_directory", "env_file")
        + executed(.file, "include", "name", "services", "networks", "volumes", "secrets", "x-escale")
        + accepted(.file, "version", "obsolete; the loader says so itself")
        + refused(
            .file,
            "configs",
            hint: "mount the file with `volumes` instead: `- ./app.conf:/etc/app.conf:ro`"
        )
        + refused(.file, "models", hint: "run the model as a service of its own")

    /// Attributes of a service. A missing limit or label is a warning; what would leave the application broken,
    /// or less confined than its file says, is an error.
    static let serviceAttributes: [ComposeAttribute] =
        executed(.extends, "service", "file")
        + executed(
            .service,
            "build",
            "cap_add",
            "cap_drop",
            "command",
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
            "labels",
            "networks",
            "ports",
            "profiles",
            "read_only",
            "restart",
            "scale",
            "secrets",
            "stdin_open",
            "stop_grace_period",
            "stop_signal",
            "tmpfs",
            "tty",
            "user",
            "volumes",
            "working_dir",
            "x-escale"
        )
        + accepted(.service, "expose", "every port of a service is reachable on its networks anyway")
        + warned(.service, "annotations", instead: "the container runs without the annotations")
        + warned(.service, "attach", instead: "`up` shows the output of every service", harmless: ["true"])
        + warned(
            .service,
            "blkio_config",
            "cpu_count",
            "cpu_percent",
            "cpu_period",
            "cpu_quota",
            "cpu_rt_period",
            "cpu_rt_runtime",
            "cpu_shares",
            "cpus",
            "cpuset",
            "mem_limit",
            "mem_reservation",
            "mem_swappiness",
            "memswap_limit",
            "pids_limit",
            "oom_kill_disable",
            "oom_score_adj",
            "ulimits",
            "storage_opt",
            instead: "the service runs without this limit"
        )
        + warned(.service, "cgroup_parent", instead: "Escale chooses the control group")
        + warned(
            .service,
            "develop",
            instead: "files are not watched; run `escale up --build` after a change"
        )
        + warned(.service, "domainname", instead: "the container has only its host name")
        + warned(.service, "logging", instead: "Escale keeps the logs itself; read them with `escale logs`")
        + warned(.service, "platform", instead: "images are run for this machine's architecture")
        + warned(
            .service,
            "pull_policy",
            "pull_refresh_after",
            instead: "an image is pulled when it is missing",
            harmless: ["missing", "if_not_present"]
        )
        + warned(.service, "shm_size", instead: "/dev/shm has its usual size of 64 MB")
        + refused(
            .service,
            "cgroup",
            "ipc",
            "pid",
            "uts",
            "userns_mode",
            hint: "every container has namespaces of its own",
            harmless: ["private"]
        )
        + refused(.service, "configs", hint: "mount the file with `volumes`: `- ./app.conf:/etc/app.conf:ro`")
        + refused(
            .service,
            "credential_spec",
            "isolation",
            hint: "it is for Windows containers",
            harmless: ["default"]
        )
        + refused(
            .service,
            "device_cgroup_rules",
            "devices",
            "gpus",
            hint: "containers have the standard devices only"
        )
        + refused(
            .service,
            "dns",
            "dns_opt",
            "dns_search",
            hint: "containers ask Escale's resolver, which knows the services and forwards the rest"
        )
        + refused(
            .service,
            "external_links",
            "links",
            hint:
                "services on a network reach one another by name; for other names use `networks: {default: {aliases: […]}}`"
        )
        + refused(.service, "extra_hosts", hint: "give the host a name in the DNS that this machine uses")
        + refused(.service, "group_add", hint: "set the group with `user: uid:gid`")
        + refused(.service, "mac_address", hint: "Escale chooses the addresses")
        + refused(.service, "models", "provider", hint: "run it as a service with an image")
        + refused(.service, "network_mode", hint: "name the networks to join under `networks`")
        + refused(
            .service,
            "post_start",
            "pre_stop",
            hint: "do this work in the image's entrypoint, or in a service that the others depend on"
        )
        + refused(
            .service,
            "privileged",
            hint: "name the capabilities that it needs under `cap_add`",
            harmless: ["false"]
        )
        + refused(
            .service,
            "runtime",
            hint: "Escale chooses between crun and runc itself",
            harmless: ["crun", "runc"]
        )
        + refused(
            .service,
            "security_opt",
            hint: "containers have the default seccomp profile and capabilities; drop more with `cap_drop`"
        )
        + refused(.service, "sysctls", hint: "set it on the host if it is safe there")
        + refused(
            .service,
            "use_api_socket",
            hint: "there is no Docker daemon to talk to",
            harmless: ["false"]
        )
        + refused(.service, "volumes_from", hint: "name the volumes in both services")
}

extension ComposeAttribute {
    private static let withoutLimit = "the service runs without this limit"

    /// What a service may use, or is to have, of the machine.
    static let resourceAttributes: [ComposeAttribute] =
        executed(
            .service,
            "cpu_period",
            "cpu_quota",
            "cpu_shares",
            "cpus",
            "cpuset",
            "mem_limit",
            "mem_reservation",
            "memswap_limit",
            "oom_score_adj",
            "pids_limit",
            "shm_size",
            "ulimits"
        )
        + executed(.ulimit, "soft", "hard")
        + warned(
            .service,
            "cpu_count",
            "cpu_percent",
            "cpu_rt_period",
            "cpu_rt_runtime",
            instead: withoutLimit,
            harmless: ["0"]
        )
        + warned(.service, "blkio_config", "mem_swappiness", "storage_opt", instead: withoutLimit)
        + warned(
            .service,
            "oom_kill_disable",
            instead: "the kernel may end the service's processes when memory runs out",
            harmless: ["false"]
        )
        + warned(
            .blockIO,
            "weight",
            "weight_device",
            "device_read_bps",
            "device_read_iops",
            "device_write_bps",
            "device_write_iops",
            instead: withoutLimit
        )
        + [Scope.blockReadBytes, .blockReadOperations, .blockWriteBytes, .blockWriteOperations].flatMap {
            warned($0, "path", "rate", instead: withoutLimit)
        }
        + warned(.blockWeight, "path", "weight", instead: withoutLimit)

    static let deployAttributes: [ComposeAttribute] =
        executed(
            .deploy,
            "replicas",
            "resources",
            "restart_policy",
            "rollback_config",
            "update_config"
        )
        + accepted(.deploy, "labels", "nothing here goes by them; they are kept and shown by `escale config`")
        + warned(.deploy, "placement", instead: "everything runs on this machine")
        + warned(
            .placement,
            "constraints",
            "preferences",
            "max_replicas_per_node",
            instead: "everything runs on this machine"
        )
        + warned(.placementPreference, "spread", instead: "everything runs on this machine")
        + executed(.deploy, "endpoint_mode")
        + refused(
            .deploy,
            "mode",
            hint: "set the number of replicas with `replicas`",
            harmless: ["replicated"]
        )
        + executed(.deployRestart, "condition", "max_attempts")
        + warned(
            .deployRestart,
            "delay",
            "window",
            instead: "pauses between restarts grow by themselves, from 100 ms up to a minute"
        )
        + executed(.deployResources, "limits", "reservations")
        + executed(.limits, "cpus", "memory", "pids")
        + executed(.reservations, "memory")
        + warned(
            .reservations,
            "cpus",
            instead: "nothing is set aside for the service, but a release that needs more than is left is refused",
            harmless: ["0"]
        )
        + warned(.reservations, "generic_resources", instead: "nothing is set aside for the service")
        + warned(
            .genericResource,
            "discrete_resource_spec",
            instead: "nothing is set aside for the service"
        )
        + warned(.discreteResource, "kind", "value", instead: "nothing is set aside for the service")
        + refused(.reservations, "devices", hint: "containers have the standard devices only")
        + refused(
            .reservedDevice,
            "capabilities",
            "count",
            "device_ids",
            "driver",
            "options",
            hint: "containers have the standard devices only"
        )
}

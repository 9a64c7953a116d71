extension ComposeAttribute {
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
            "ulimits",
            "blkio_config",
            "cpu_rt_period",
            "cpu_rt_runtime",
            "mem_swappiness",
            "oom_kill_disable"
        )
        + executed(.ulimit, "soft", "hard")
        + warned(
            .service,
            "cpu_count",
            "cpu_percent",
            instead: "it is for Windows containers, and the service runs without this limit; write `cpus`",
            harmless: ["0"]
        )
        + warned(
            .service,
            "storage_opt",
            instead: "the service runs without this limit: what a container writes takes what the disk has"
        )
        + executed(
            .blockIO,
            "weight",
            "weight_device",
            "device_read_bps",
            "device_read_iops",
            "device_write_bps",
            "device_write_iops"
        )
        + [Scope.blockReadBytes, .blockReadOperations, .blockWriteBytes, .blockWriteOperations].flatMap {
            executed($0, "path", "rate")
        }
        + executed(.blockWeight, "path", "weight")

    /// Instead of devices that are described by what they can do.
    static let gpuHint = "name the device files under `devices`, such as /dev/dri/renderD128"

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
        + executed(.reservations, "memory", "cpus")
        + warned(.reservations, "generic_resources", instead: "nothing is set aside for the service")
        + warned(
            .genericResource,
            "discrete_resource_spec",
            instead: "nothing is set aside for the service"
        )
        + warned(.discreteResource, "kind", "value", instead: "nothing is set aside for the service")
        + refused(.reservations, "devices", hint: gpuHint)
        + refused(
            .reservedDevice,
            "capabilities",
            "count",
            "device_ids",
            "driver",
            "options",
            hint: gpuHint
        )
}

extension ComposeAttribute {
    /// Attributes of the mappings that say what runs when, and how one sees that it does.
    static let processAttributes: [ComposeAttribute] =
        executed(.dependency, "condition", "required")
        + warned(
            .dependency,
            "restart",
            instead: "this service keeps running when the other one is restarted or replaced",
            harmless: ["false"]
        )
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
        + warned(.logging, "driver", "options", instead: "Escale keeps the logs itself")
        + warned(.develop, "watch", instead: "files are not watched")
        + warned(
            .watch,
            "path",
            "action",
            "target",
            "exec",
            "ignore",
            "include",
            "initial_sync",
            instead: "files are not watched"
        )
        + hookAttributes

    private static let hookAttributes: [ComposeAttribute] =
        refused(
            .service,
            "pre_start",
            hint: "do this work in a service of its own and depend on it with service_completed_successfully"
        )
        + refused(
            .service,
            "post_start",
            "pre_stop",
            hint: "do this work in the image's entrypoint, or in a service that the others depend on"
        )
        + warned(
            .watchExec,
            "command",
            "user",
            "privileged",
            "working_dir",
            "environment",
            instead: "files are not watched"
        )
        + [Scope.preStart, .postStart, .preStop].flatMap { scope in
            refused(
                scope,
                "command",
                "user",
                "privileged",
                "working_dir",
                "environment",
                hint: "do this work in a service of its own, or in the image's entrypoint"
            )
        }
        + refused(
            .preStart,
            "image",
            "per_replica",
            hint: "do this work in a service of its own and depend on it with service_completed_successfully"
        )
}

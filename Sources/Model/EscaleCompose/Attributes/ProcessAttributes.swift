extension ComposeAttribute {
    /// Attributes of the mappings that say what runs when, and how one sees that it does.
    static let processAttributes: [ComposeAttribute] =
        executed(.dependency, "condition", "required", "restart")
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
        + executed(.logging, "driver", "options")
        + executed(.develop, "watch")
        + executed(.watch, "path", "action", "target", "exec", "ignore", "include", "initial_sync")
        + hookAttributes

    private static let hookAttributes: [ComposeAttribute] =
        refused(
            .service,
            "pre_start",
            hint: "do this work in a service of its own and depend on it with service_completed_successfully"
        )
        + executed(.service, "post_start", "pre_stop")
        + executed(.watchExec, "command", "user", "privileged", "working_dir", "environment")
        + [Scope.postStart, .preStop].flatMap { scope in
            executed(scope, "command", "user", "privileged", "working_dir", "environment")
        }
        + refused(
            .preStart,
            "command",
            "user",
            "privileged",
            "working_dir",
            "environment",
            "image",
            "per_replica",
            hint: "do this work in a service of its own and depend on it with service_completed_successfully"
        )
}

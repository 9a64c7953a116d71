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
        executed(.service, "pre_start", "post_start", "pre_stop")
        + executed(.watchExec, "command", "user", "privileged", "working_dir", "environment")
        + [Scope.postStart, .preStop].flatMap { scope in
            executed(scope, "command", "user", "privileged", "working_dir", "environment")
        }
        + executed(.preStart, "command", "user", "privileged", "working_dir", "environment", "image", "per_replica")
}

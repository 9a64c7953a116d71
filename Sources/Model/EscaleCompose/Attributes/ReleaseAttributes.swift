extension ComposeAttribute {
    /// Attributes of `deploy.update_config` and `deploy.rollback_config`.
    static let updateAttributes: [ComposeAttribute] = [Scope.updateConfig, .rollbackConfig].flatMap {
        executed($0, "parallelism", "delay", "failure_action", "monitor", "max_failure_ratio", "order")
    }

    /// Attributes of `x-escale` and its `release`: Escale's own.
    static let releaseAttributes: [ComposeAttribute] =
        executed(.fileEscale, "release", "registry", "external")
        + executed(.external, "host", "port", "secret")
        + executed(.fileRegistry, "listen", "htpasswd", "tls_certificate", "tls_key")
        + executed(.fileRelease, "keep")
        + executed(.serviceEscale, "release", "http", "probe", "on_unhealthy")
        + warned(.serviceEscale, "autoscale", instead: "on one machine there are as many replicas as `replicas` says; Kubernetes goes by it")
        + warned(.serviceEscale, "schedule", instead: "on one machine it runs once, when it is started; Kubernetes goes by it")
        + executed(.autoscale, "min", "max", "cpu")
        + executed(.probe, "http", "tcp", "port")
        + executed(
            .release,
            "strategy",
            "steps",
            "analysis",
            "drain",
            "min_healthy",
            "keep",
            "promote",
            "preview",
            "sticky",
            "override",
            "shared_volumes"
        )
        + executed(.releaseStep, "weight", "pause")
        + executed(.releasePreview, "host", "port")
        + executed(.releaseOverride, "header", "cookie")
        + executed(
            .analysis,
            "max_error_rate",
            "max_p50",
            "max_p95",
            "max_p99",
            "max_error_rate_increase",
            "max_p95_ratio",
            "min_requests",
            "probe",
            "interval",
            "prometheus",
            "command",
            "inconclusive",
            "dry_run"
        )
        + executed(.analysisQuery, "server", "query", "min", "max")

    /// Attributes of `x-escale.http`: Escale's own.
    static let gatewayAttributes: [ComposeAttribute] =
        executed(
            .http,
            "host",
            "path",
            "container_port",
            "address",
            "port",
            "tls",
            "timeout",
            "idle_timeout",
            "tunnel_timeout",
            "retries",
            "max_body",
            "rate_limit",
            "sticky",
            "hold",
            "eject",
            "proxy_protocol"
        )
        + executed(.httpTLS, "certificate", "key", "port", "redirect")
        + executed(.httpRateLimit, "requests", "period")
        + executed(.httpEject, "errors", "for")
        + executed(.httpProxyProtocol, "accept", "send")
}

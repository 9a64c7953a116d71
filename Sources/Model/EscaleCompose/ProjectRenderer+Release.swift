import EscaleCore
import EscaleYAML

/// Releases: `deploy.update_config`, and `x-escale.release`.
extension ProjectRenderer {
    static func update(_ config: UpdateConfig) -> YAMLValue {
        let usual = UpdateConfig()
        var members = Members()
        members.add("parallelism", config.parallelism, unless: usual.parallelism) { .int(Int64($0)) }
        members.add("delay", config.delay, unless: usual.delay, as: duration)
        members.add("failure_action", config.failureAction, unless: usual.failureAction) {
            .string($0.rawValue)
        }
        members.add("monitor", config.monitor, unless: usual.monitor, as: duration)
        members.add("max_failure_ratio", config.maxFailureRatio, unless: usual.maxFailureRatio, as: number)
        members.add("order", config.order.map { .string($0.rawValue) })
        return members.map
    }

    /// `x-escale` of a service.
    static func escale(_ service: Service) -> YAMLValue? {
        var members = Members()
        members.add("release", release(service.release))
        members.add("http", service.http.map(http))
        members.add("probe", service.probe.map(probe))
        members.add("on_unhealthy", service.onUnhealthy.map { .string($0.rawValue) })
        members.add(
            "autoscale",
            service.autoscale.map { .object(["min": .number($0.least), "max": .number($0.most), "cpu": .number($0.processor)]) })
        members.add("schedule", service.schedule.map(text))
        return members.filledMap
    }

    private static func probe(_ probe: ServiceProbe) -> YAMLValue {
        switch probe.kind {
        case .http(let path): .map([.init("http", .string(path)), .init("port", .int(Int64(probe.port)))])
        case .tcp: .map([.init("tcp", .int(Int64(probe.port)))])
        }
    }

    /// `x-escale` of the whole file.
    static func escale(_ project: Project) -> YAMLValue? {
        var members: [YAMLValue.Member] = []
        if project.keptReleases != 10 {
            members.append(.init("release", .map([.init("keep", .int(Int64(project.keptReleases)))])))
        }
        if let registry = project.registry {
            let texts: [(String, String?)] = [
                ("listen", registry.listen), ("htpasswd", registry.htpasswd),
                ("tls_certificate", registry.certificate), ("tls_key", registry.key),
            ]
            members.append(
                .init("registry", .map(texts.compactMap { name, text in text.map { .init(name, .string($0)) } })))
        }
        let external = (project.external ?? []).map { external in
            YAMLValue.Member(
                external.service.rawValue,
                .object([
                    "host": text(external.host), "port": .number(Int(external.port)), "secret": external.secret.map(text),
                ]))
        }
        if !external.isEmpty { members.append(.init("external", .map(external))) }
        return members.isEmpty ? nil : .map(members)
    }

    private static func release(_ release: ReleaseSettings) -> YAMLValue? {
        let usual = ReleaseSettings()
        var members = Members()
        members.add("strategy", release.strategy, unless: usual.strategy) { .string($0.rawValue) }
        members.add("steps", release.steps, unless: usual.steps) { .list($0.map(step)) }
        members.add("analysis", release.analysis.map(analysis))
        members.add("drain", release.drain, unless: usual.drain, as: duration)
        members.add("min_healthy", release.minHealthy.map(duration))
        members.add("keep", release.keepWarm, unless: usual.keepWarm, as: duration)
        members.add("promote", release.promotesByHand ? .string("manual") : nil)
        if let preview = release.preview {
            var inner = Members()
            inner.add("host", preview.host.map(text))
            inner.add("port", preview.port.map { .int(Int64($0)) })
            members.add("preview", inner.map)
        }
        members.add("sticky", flag(release.isSticky))
        var override = Members()
        override.add("header", release.overrideHeader, unless: usual.overrideHeader, as: text)
        override.add("cookie", release.overrideCookie, unless: usual.overrideCookie, as: text)
        members.add("override", override.filledMap)
        members.add("shared_volumes", flag(release.sharesVolumes))
        return members.filledMap
    }

    private static func step(_ step: ReleaseSettings.CanaryStep) -> YAMLValue {
        let pause =
            switch step.pause {
            case .lasting(let time): duration(time)
            case .manual: YAMLValue.string("manual")
            }
        return .map([.init("weight", .int(Int64(step.weight))), .init("pause", pause)])
    }

    private static func analysis(_ analysis: Analysis) -> YAMLValue {
        let usual = Analysis()
        var members = Members()
        members.add("max_error_rate", analysis.maxErrorRate.map(number))
        members.add("max_p50", analysis.maxP50.map(duration))
        members.add("max_p95", analysis.maxP95.map(duration))
        members.add("max_p99", analysis.maxP99.map(duration))
        members.add("max_error_rate_increase", analysis.maxErrorRateIncrease.map(number))
        members.add("max_p95_ratio", analysis.maxP95Ratio.map(number))
        members.add("min_requests", analysis.minRequests, unless: usual.minRequests) { .int(Int64($0)) }
        members.add("probe", analysis.probePath.map(text))
        members.add("interval", analysis.interval, unless: usual.interval, as: duration)
        if let query = analysis.prometheus {
            var inner = Members()
            inner.add("server", text(query.server))
            inner.add("query", text(query.query))
            inner.add("min", query.minimum.map(number))
            inner.add("max", query.maximum.map(number))
            members.add("prometheus", inner.map)
        }
        members.add("command", analysis.command.map { .list($0.map(text)) })
        members.add("inconclusive", analysis.inconclusive, unless: usual.inconclusive) {
            .string($0.rawValue)
        }
        members.add("dry_run", flag(analysis.isDryRun))
        return members.map
    }
}

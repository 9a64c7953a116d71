import EscaleCore
import EscaleYAML

/// Images, output, hooks, development, models.
extension ProjectRenderer {
    static func addSurroundings(of service: Service, to members: inout Members) {
        members.add("platform", service.imageSettings?.platform.map(text))
        members.add("pull_policy", service.imageSettings?.pullPolicy.map(pullPolicy))
        members.add("pull_refresh_after", service.imageSettings?.refreshAfter.map(duration))
        members.add("logging", service.logging.map(logging))
        members.add("provider", service.provider.map(provider))
        members.add("models", service.models.flatMap(models))
        members.add("volumes_from", service.volumesFrom.map { .list($0.map(volumesSource)) })
        members.add("pre_start", service.hooks.flatMap { hooks($0.preStart) })
        members.add("post_start", service.hooks.flatMap { hooks($0.postStart) })
        members.add("pre_stop", service.hooks.flatMap { hooks($0.preStop) })
        members.add("develop", service.develop.map(develop))
    }

    private static func pullPolicy(_ policy: ImageSettings.PullPolicy) -> YAMLValue {
        switch policy {
        case .always: .string("always")
        case .never: .string("never")
        case .missing: .string("missing")
        case .build: .string("build")
        case .refresh: .string("refresh")
        case .daily: .string("daily")
        case .weekly: .string("weekly")
        case .every(let time): .string("every_" + time.composeText)
        }
    }

    private static func logging(_ logging: LoggingSettings) -> YAMLValue {
        var members = Members()
        members.add("driver", logging.driver.map(text))
        members.add("options", pairs(logging.options))
        return members.map
    }

    private static func provider(_ provider: ServiceProvider) -> YAMLValue {
        var members = Members()
        members.add("type", text(provider.type))
        members.add(
            "options",
            mapOrNothing(
                provider.options.sorted { $0.key < $1.key }.map { .init($0.key, .list($0.value.map(text))) }
            )
        )
        return members.map
    }

    private static func models(_ uses: [ModelUse]) -> YAMLValue? {
        mapOrNothing(
            uses.map { use in
                var members = Members()
                members.add("endpoint_var", use.endpointVariable.map(text))
                members.add("model_var", use.modelVariable.map(text))
                return .init(use.model, members.filledMap ?? .null)
            }
        )
    }

    private static func volumesSource(_ source: VolumesSource) -> YAMLValue {
        let mode = source.readOnly ? ":ro" : ""
        switch source.owner {
        case .service(let name): return text("\(name)\(mode)")
        case .container(let name): return text("container:\(name)\(mode)")
        }
    }

    // MARK: Hooks

    private static func hooks(_ hooks: [Hook]) -> YAMLValue? { hooks.isEmpty ? nil : .list(hooks.map(hook)) }

    private static func hook(_ hook: Hook) -> YAMLValue {
        var members = Members()
        members.add("command", commandLine(hook.command))
        members.add("image", hook.image.map(text))
        members.add("user", hook.user.map(text))
        members.add("privileged", flag(hook.isPrivileged))
        members.add("working_dir", hook.workingDirectory.map(text))
        members.add("environment", pairs(hook.environment))
        members.add("per_replica", flag(hook.runsForEachReplica))
        return members.map
    }

    private static func develop(_ settings: DevelopSettings) -> YAMLValue {
        let rules = settings.watch.map { rule in
            var members = Members()
            members.add("path", text(rule.path))
            members.add("action", .string(rule.action.rawValue))
            members.add("target", rule.target.map(text))
            members.add("exec", rule.exec.map(hook))
            members.add("include", list(rule.included))
            members.add("ignore", list(rule.ignored))
            members.add("initial_sync", flag(rule.copiesAtFirst))
            return members.map
        }
        return .map([.init("watch", .list(rules))])
    }
}

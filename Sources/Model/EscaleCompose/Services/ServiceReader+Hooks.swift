import EscaleCore
import EscaleYAML

/// Commands at turning points of a container's life, and what happens when files change.
extension ServiceReader {
    func readHooks(_ section: Section, into service: inout Service) {
        var hooks = ServiceHooks()
        hooks.preStart = self.hooks(section["pre_start"], .preStart)
        hooks.postStart = self.hooks(section["post_start"], .postStart)
        hooks.preStop = self.hooks(section["pre_stop"], .preStop)
        service.hooks = filled(hooks, unlike: ServiceHooks())
        service.develop = section["develop"].flatMap(develop)
    }

    private func hooks(_ field: Field?, _ scope: ComposeAttribute.Scope) -> [Hook] {
        (field?.items(hint: "write - command: ./setup.sh") ?? []).compactMap { hook($0, scope) }
    }

    private func hook(_ item: Field, _ scope: ComposeAttribute.Scope) -> Hook? {
        let example = "write command: ./setup.sh"
        guard let section = item.section(scope, hint: example) else { return nil }
        guard let commandField = section["command"], !commandField.isNull else {
            if !section.misspells("command") {
                item.error("compose.missing", "\(item.path) has no `command`", hint: example)
            }
            return nil
        }
        guard let command = commandLine(commandField) else { return nil }
        guard !command.isEmpty else {
            commandField.error("compose.empty", "\(commandField.path) is empty", hint: example)
            return nil
        }
        var hook = Hook(command: command)
        hook.user = section.text("user")
        hook.isPrivileged = section.flag("privileged")
        hook.workingDirectory = section["working_dir"].flatMap(directory)
        let environment = section["environment"]
        for (key, value) in environment?.keyValues(example: "write KEY: value") ?? [] {
            hook.environment[key] = value ?? environment?.variable(key)
        }
        hook.image = section["image"]?.filledText(hint: "name an image such as nginx:1.27")
        hook.runsForEachReplica = section.flag("per_replica")
        return hook
    }

    // MARK: Watching

    private func develop(_ field: Field) -> DevelopSettings? {
        guard let section = field.section(.develop, hint: "write watch: [{path: ./src, action: rebuild}]")
        else {
            return nil
        }
        var settings = DevelopSettings()
        let example = "write - {path: ./src, action: sync, target: /app}"
        settings.watch = (section["watch"]?.items(hint: example) ?? []).compactMap {
            rule($0, example: example)
        }
        return filled(settings, unlike: DevelopSettings())
    }

    private func rule(_ item: Field, example: String) -> WatchRule? {
        guard let section = item.section(.watch, hint: example) else { return nil }
        for key in ["path", "action"] where section[key] == nil && !section.misspells(key) {
            item.error("compose.missing", "\(item.path) has no `\(key)`", hint: example)
        }
        guard let pathField = section["path"], let path = pathField.filledText(hint: example),
            let action = section["action"]?.choice(of: WatchRule.Action.self)
        else { return nil }
        var rule = WatchRule(path: pathField.resolve(path), action: action)
        rule.target = section["target"].flatMap(directory)
        rule.exec = section["exec"].flatMap { hook($0, .watchExec) }
        rule.ignored = section["ignore"]?.oneOrMoreTexts(hint: "write a list such as [node_modules/]") ?? []
        rule.included = section["include"]?.oneOrMoreTexts(hint: "write a list such as [\"*.js\"]") ?? []
        rule.copiesAtFirst = section.flag("initial_sync")
        if action.copies, section["target"] == nil, !section.misspells("target") {
            item.error(
                "compose.missing",
                "\(item.path) has no `target`",
                hint: "say where the files go in the container: target: /app"
            )
        }
        if action == .syncAndExec, section["exec"] == nil, !section.misspells("exec") {
            item.error(
                "compose.missing",
                "\(item.path) has no `exec`",
                hint: "say what to run after the files are copied: exec: {command: ./reload.sh}"
            )
        }
        return rule
    }

    /// A path in the container.
    func directory(_ field: Field) -> String? {
        guard let path = field.filledText() else { return nil }
        if path.hasPrefix("/") { return path }
        field.error("compose.path", "\(field.path): \"\(path)\" must be absolute", hint: "write /\(path)")
        return nil
    }
}

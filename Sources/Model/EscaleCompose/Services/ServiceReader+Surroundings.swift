import EscaleCore
import EscaleYAML

/// Where images come from, where output goes, and what other programs do for the service.
extension ServiceReader {
    func readSurroundings(_ section: Section, into service: inout Service) {
        var image = ImageSettings()
        image.pullPolicy = section["pull_policy"].flatMap(pullPolicy)
        image.refreshAfter = section["pull_refresh_after"]?.duration()
        image.platform = section["platform"].flatMap(platform)
        if let field = section["platform"] { note(field, "platform") }
        service.imageSettings = filled(image, unlike: ImageSettings())
        checkImage(section, service)
        service.logging = section["logging"].flatMap(logging)
        service.provider = section["provider"].flatMap(provider)
        service.models = section["models"].flatMap(models)
        service.annotations = section["annotations"]?.pairs(example: "write com.example.team: web").filled
        service.isAttached = section["attach"]?.boolean()
    }

    // MARK: Images

    private func pullPolicy(_ field: Field) -> ImageSettings.PullPolicy? {
        let words: [String: ImageSettings.PullPolicy] = [
            "always": .always, "never": .never, "missing": .missing, "if_not_present": .missing,
            "build": .build,
            "refresh": .refresh, "daily": .daily, "weekly": .weekly,
        ]
        let possible = "possible are \(Field.listed(words.keys.sorted() + ["every_12h"]))"
        guard let text = field.filledText(hint: possible) else { return nil }
        if let policy = words[text] { return policy }
        if text.hasPrefix("every_") {
            if let time = Duration(compose: String(text.dropFirst(6))), time > .zero { return .every(time) }
            field.error(
                "compose.duration",
                "\(field.path): \"\(text.dropFirst(6))\" is not a duration",
                hint: "write a number with a unit, such as every_12h or every_1w"
            )
            return nil
        }
        let near = Suggestion.nearest(to: text, among: words.keys).map { "did you mean \($0)? " } ?? ""
        field.error("compose.value", "\(field.path): \"\(text)\" is not possible here", hint: near + possible)
        return nil
    }

    /// `os[/architecture[/variant]]`.
    func platform(_ field: Field) -> String? {
        let example = "write an operating system and an architecture, such as linux/arm64"
        guard let text = field.filledText(hint: example) else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count <= 3, parts.allSatisfy({ ServiceName.accepts(String($0)) }) { return text }
        field.error("compose.platform", "\(field.path): \"\(text)\" is no platform", hint: example)
        return nil
    }

    /// What `image`, `build` and `pull_policy` say together.
    private func checkImage(_ section: Section, _ service: Service) {
        guard let field = section["pull_policy"], let policy = service.imageSettings?.pullPolicy else {
            return
        }
        if policy == .build, section["build"] == nil, section.field.node.mapping?["extends"] == nil {
            field.error(
                "compose.pull-policy",
                "\(field.path) is build, but the service has no `build`",
                hint: "say how to build it: build: ., or choose another policy"
            )
        }
        if policy != .build, policy != .never, policy != .missing, section["image"] == nil,
            section["build"] != nil
        {
            field.warning(
                "compose.pull-policy",
                "\(field.path): nothing can be pulled, since the service has no `image`",
                hint: "name the image to pull, or remove the line"
            )
        }
        if let after = section["pull_refresh_after"], policy != .refresh {
            after.warning(
                "compose.pull-policy",
                "\(after.path) has a meaning only with pull_policy: refresh",
                hint: "write pull_policy: refresh, or remove the line"
            )
        }
    }

    // MARK: Others

    private func provider(_ field: Field) -> ServiceProvider? {
        let example = "write type: NAME"
        guard let section = field.section(.provider, hint: example) else { return nil }
        guard let type = section["type"] else {
            if !section.misspells("type") {
                field.error("compose.missing", "\(field.path) has no `type`", hint: example)
            }
            return nil
        }
        guard let text = type.filledText(hint: example) else { return nil }
        var provider = ServiceProvider(type: text)
        for member in section["options"]?.members(hint: "write KEY: value, or KEY: [value, …]") ?? [] {
            let values = (member.value.texts() ?? []).compactMap { item -> String? in
                guard item.isScalar, !item.isNull else {
                    item.mismatch("text, a number or a boolean")
                    return nil
                }
                return item.node.scalar?.text
            }
            provider.options[member.key] = values
        }
        return provider
    }

    private func models(_ field: Field) -> [ModelUse]? {
        let example = "write a list such as [llm], or llm: {endpoint_var: LLM_URL}"
        var uses: [ModelUse] = []
        func add(_ key: String, at position: SourcePosition) -> Int? {
            let place = Place.use(.model, key, by: name.rawValue)
            guard context.places[place] == nil else { return nil }
            context.places[place] = position
            uses.append(ModelUse(model: key))
            return uses.count - 1
        }
        guard field.isMapping else {
            for item in field.items(hint: example) ?? [] {
                if let key = item.filledText(hint: example) { _ = add(key, at: item.position) }
            }
            return uses.sorted { $0.model < $1.model }.filled
        }
        for member in field.members() ?? [] where !member.key.hasPrefix("x-") {
            guard let index = add(member.key, at: member.position), !member.value.isNull,
                let section = member.value.section(.serviceModel, hint: example)
            else { continue }
            uses[index].endpointVariable = section["endpoint_var"].flatMap(variable)
            uses[index].modelVariable = section["model_var"].flatMap(variable)
        }
        return uses.sorted { $0.model < $1.model }.filled
    }

    /// The name of an environment variable.
    private func variable(_ field: Field) -> String? {
        guard let text = field.filledText() else { return nil }
        if !text.contains(where: { "= ".contains($0) }) { return text }
        field.error(
            "compose.variable.name",
            "\(field.path): \"\(text)\" is no name of a variable",
            hint: "use letters, digits and '_', such as LLM_URL"
        )
        return nil
    }
}

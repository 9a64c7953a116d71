import EscaleCore
import EscaleYAML

/// `build`: where an image is made from.
extension ServiceReader {
    func build(_ field: Field) -> Build? {
        if field.isScalar {
            guard let context = field.filledText() else { return nil }
            return buildContext(context, field).map(Build.init)
        }
        guard
            let section = field.section(
                .build,
                hint: "write a directory, or context, dockerfile, args and target"
            )
        else { return nil }
        let options = buildOptions(section)
        let contextField = section["context"]
        guard let path = contextField == nil ? "." : contextField?.filledText(),
            let directory = buildContext(path, contextField ?? field)
        else { return nil }
        var build = Build(context: directory)
        if let dockerfile = section["dockerfile"], let path = dockerfile.filledText() {
            let usual = ComposePath.absolute("Dockerfile", in: directory)
            let absolute = Self.isRemote(directory) ? path : ComposePath.absolute(path, in: directory)
            build.dockerfile = absolute == usual || absolute == "Dockerfile" ? nil : absolute
            if options?.dockerfileText != nil {
                dockerfile.error(
                    "compose.build.dockerfile",
                    "\(field.path) has both `dockerfile` and `dockerfile_inline`",
                    hint: "remove one of the two"
                )
            }
        }
        build.target = section["target"]?.filledText()
        let arguments = section["args"]
        for (key, value) in arguments?.keyValues(example: "write VERSION: 1.2 or - VERSION=1.2") ?? [] {
            // Without a value the surroundings' counts; where they have none, the Dockerfile's default.
            if let value = value ?? arguments?.variable(key) { build.arguments[key] = value }
        }
        build.options = options
        return build
    }

    private func buildContext(_ path: String, _ field: Field) -> String? {
        guard Self.isRemote(path) else { return field.resolve(path) }
        context.refuse(
            "\(field.path): building from \"\(path)\" is not supported yet",
            at: field.position,
            hint: "clone it and name the directory"
        )
        return path
    }

    private static func isRemote(_ path: String) -> Bool {
        path.contains("://") || path.hasPrefix("git@") || path.hasPrefix("github.com/")
    }

    private func buildOptions(_ section: Section) -> BuildOptions? {
        var options = BuildOptions()
        options.dockerfileText = section.text("dockerfile_inline")
        options.labels = section["labels"]?.labels().filled
        options.tags = section["tags"]?.filledTexts(hint: "write a list such as [\"shop:1.2\"]").filled
        options.cacheFrom = section["cache_from"].flatMap(caches)
        options.cacheTo = section["cache_to"].flatMap(caches)
        options.ignoresCache = section.flag("no_cache")
        options.stagesWithoutCache = section["no_cache_filter"]?.oneOrMoreTexts(hint: "name a stage").filled
        options.pulls = section.flag("pull")
        options.platforms =
            (section["platforms"]?.items(hint: "write a list such as [linux/arm64]") ?? [])
            .compactMap(platform).filled
        options.provenance = section["provenance"].flatMap(attestation)
        options.billOfMaterials = section["sbom"].flatMap(attestation)
        options.contexts = section["additional_contexts"].flatMap(contexts)
        if let field = section["additional_contexts"] { note(field, "build.additional_contexts") }
        options.secrets = section["secrets"].flatMap {
            sharedFiles($0, .secret, .buildSecret).map(\.mount).filled
        }
        options.keys = section["ssh"].flatMap(keys)
        options.network = section.text("network")
        options.extraHosts = section["extra_hosts"].flatMap { extraHosts($0).filled }
        options.isPrivileged = section.flag("privileged")
        options.entitlements =
            section["entitlements"]?.filledTexts(hint: "write a list such as [network.host]").filled
        options.isolation = section.text("isolation")
        options.sharedMemory = section["shm_size"]?.bytes()
        options.ulimits = section["ulimits"].flatMap { ulimits($0, .buildUlimit) }
        return filled(options, unlike: BuildOptions())
    }

    private func caches(_ field: Field) -> [String]? {
        field.filledTexts(hint: "write a list of images").map { BuildOptions.cache($0, resolvingPathsWith: field.resolve) }.filled
    }

    /// `true`, or settings such as `mode=max`; `nil` for `false`.
    private func attestation(_ field: Field) -> String? {
        if case .bool(let value) = field.node.resolved { return value ? "true" : nil }
        return field.filledText(hint: "write true, or settings such as mode=max")
    }

    /// Paths are made absolute; images, URLs and services stay as they are.
    private func contexts(_ field: Field) -> [String: String]? {
        let example = "write base: ./base, or base: docker-image://debian:12"
        var contexts: [String: String] = [:]
        for (key, value, position) in field.placedKeyValues(example: example) ?? [] {
            guard let value, !value.isEmpty else {
                context.error(
                    "compose.empty",
                    "\(field.path): \"\(key)\" names nothing",
                    at: position,
                    hint: example
                )
                continue
            }
            let isPath = !Self.isRemote(value) && !value.hasPrefix("service:") && !value.hasPrefix("target:")
            contexts[key] = isPath ? field.resolve(value) : value
        }
        return contexts.filled
    }

    /// `default`, `ID=PATH`, or a mapping or a list of them.
    private func keys(_ field: Field) -> [BuildOptions.Key]? {
        let example = "write ssh: [default], or - deploy=~/.ssh/deploy"
        if field.isScalar, !field.isNull { return key(field, example: example).map { [$0] } }
        if field.isMapping {
            let pairs = field.keyValues(example: example) ?? []
            return pairs.map { .init(id: $0.key, path: $0.value.map(field.resolve)) }.filled
        }
        return (field.items(hint: example) ?? []).compactMap { key($0, example: example) }.filled
    }

    private func key(_ item: Field, example: String) -> BuildOptions.Key? {
        guard let text = item.filledText(hint: example) else { return nil }
        guard let cut = text.firstIndex(of: "=") else { return .init(id: text, path: nil) }
        let path = String(text[text.index(after: cut)...])
        guard cut > text.startIndex, !path.isEmpty else {
            item.error("compose.build.ssh", "\(item.path): \"\(text)\" is no key", hint: example)
            return nil
        }
        return .init(id: String(text[..<cut]), path: item.resolve(path))
    }
}

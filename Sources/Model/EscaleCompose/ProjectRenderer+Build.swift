import EscaleCore
import EscaleYAML

/// `build`.
extension ProjectRenderer {
    static func build(_ build: Build) -> YAMLValue {
        var members = Members()
        let options = build.options ?? BuildOptions()
        members.add("context", text(build.context))
        if options.dockerfileText == nil { members.add("dockerfile", text(dockerfile(of: build))) }
        members.add("dockerfile_inline", options.dockerfileText.map(text))
        members.add("entitlements", options.entitlements.flatMap(list))
        members.add("args", pairs(build.arguments))
        members.add("provenance", options.provenance.map(text))
        members.add("sbom", options.billOfMaterials.map(text))
        members.add("ssh", options.keys.map { .list($0.map(key)) })
        members.add("labels", options.labels.flatMap(pairs))
        members.add("cache_from", options.cacheFrom.flatMap(list))
        members.add("cache_to", options.cacheTo.flatMap(list))
        members.add("no_cache", flag(options.ignoresCache))
        members.add("no_cache_filter", options.stagesWithoutCache.flatMap(list))
        members.add("additional_contexts", options.contexts.flatMap(pairs))
        members.add("pull", flag(options.pulls))
        members.add("extra_hosts", options.extraHosts.flatMap(hosts))
        members.add("isolation", options.isolation.map(text))
        members.add("network", options.network.map(text))
        members.add("target", build.target.map(text))
        members.add("secrets", options.secrets.map { .list($0.map(sharedFile)) })
        members.add("shm_size", options.sharedMemory.map(bytes))
        members.add("tags", options.tags.flatMap(list))
        members.add("ulimits", options.ulimits.flatMap(ulimits))
        members.add("platforms", options.platforms.flatMap(list))
        members.add("privileged", flag(options.isPrivileged))
        return members.map
    }

    /// Relative to the context where it lies in it, as Docker Compose writes it.
    private static func dockerfile(of build: Build) -> String {
        build.dockerfile.map { ComposePath.display($0, from: build.context) } ?? "Dockerfile"
    }

    private static func key(_ key: BuildOptions.Key) -> YAMLValue {
        text(key.id + (key.path.map { "=\($0)" } ?? ""))
    }
}

import EscaleCore
import EscaleYAML

/// Mounts, secrets and configs.
extension ProjectRenderer {
    static func mount(_ mount: Mount) -> YAMLValue {
        let settings = mount.options ?? MountOptions()
        var members = Members()
        var inner = Members()
        let type: String
        switch mount.source {
        case .bind(let path, let create):
            type = "bind"
            members.add("source", text(path))
            inner.add("create_host_path", .bool(create))
            inner.add("propagation", settings.propagation.map { .string($0.rawValue) })
            inner.add("recursive", settings.recursion.map { .string($0.rawValue) })
            inner.add("selinux", settings.relabelling.map { .string($0.rawValue) })
        case .volume, .anonymous:
            type = "volume"
            if case .volume(let key) = mount.source { members.add("source", text(key)) }
            inner.add("labels", settings.labels.flatMap(pairs))
            inner.add("nocopy", flag(settings.keepsEmpty))
            inner.add("subpath", settings.subpath.map(text))
        case .tmpfs(let size, let mode):
            type = "tmpfs"
            inner.add("size", size.map(bytes))
            inner.add("mode", mode.map(permissions))
        case .image(let name):
            type = "image"
            members.add("source", text(name))
            inner.add("subpath", settings.subpath.map(text))
        case .cluster(let name):
            type = "cluster"
            members.add("source", text(name))
        case .pipe(let name):
            type = "npipe"
            members.add("source", text(name))
        }
        members.add("target", text(mount.target))
        members.add("read_only", flag(mount.readOnly))
        members.add("consistency", settings.consistency.map(text))
        members.add(type, type == "volume" ? inner.map : inner.filledMap)
        return members.prepending("type", .string(type))
    }

    /// A secret or a config as a service sees it.
    static func sharedFile(_ mount: SharedFileMount) -> YAMLValue {
        var members = Members()
        members.add("source", text(mount.source))
        members.add("target", text(mount.target))
        members.add("uid", mount.uid.map { .string(String($0)) })
        members.add("gid", mount.gid.map { .string(String($0)) })
        members.add("mode", mount.mode.map(permissions))
        return members.map
    }

    /// The secrets or configs of the project. The text of a secret is never written, nor what a variable holds.
    static func sharedFiles(_ files: [SharedFile], of project: Project) -> YAMLValue? {
        mapOrNothing(
            files.sorted { $0.key < $1.key }.map { file in
                var members = Members()
                members.add("name", text(file.name ?? file.usualName(in: project.name)))
                members.add("file", file.file.map(text))
                members.add("environment", file.environment.map(text))
                if file.environment == nil { members.add("content", file.content.map(text)) }
                members.add("external", flag(file.isExternal))
                members.add("labels", file.labels.flatMap(pairs))
                members.add("driver", file.driver.map(text))
                members.add("driver_opts", file.driverOptions.flatMap(pairs))
                members.add("template_driver", file.templateDriver.map(text))
                return .init(file.key, members.map)
            }
        )
    }
}

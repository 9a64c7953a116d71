import EscaleCore
import EscaleYAML

/// The secrets and configs that a service sees, and that a build does.
extension ServiceReader {
    func readSharedFiles(_ section: Section, into service: inout Service) {
        service.secrets = section["secrets"].map { sharedFiles($0, .secret, .serviceSecret) } ?? []
        service.configs = section["configs"].flatMap { sharedFiles($0, .config, .serviceConfig).filled }
        checkTargets(section, service)
    }

    func sharedFiles(
        _ field: Field,
        _ kind: Place.Resource,
        _ scope: ComposeAttribute.Scope
    ) -> [SharedFileMount] {
        let example = "write a list such as [\(kind == .secret ? "db_password" : "nginx_conf")]"
        return (field.items(hint: example) ?? []).compactMap { sharedFile($0, kind, scope) }
    }

    private func sharedFile(
        _ item: Field,
        _ kind: Place.Resource,
        _ scope: ComposeAttribute.Scope
    ) -> SharedFileMount? {
        var keyField = item
        var long: Section?
        if item.isMapping {
            guard let section = item.section(scope) else { return nil }
            guard let source = section["source"] else {
                if !section.misspells("source") {
                    item.error(
                        "compose.\(kind.rawValue).source",
                        "\(item.path) has no `source`",
                        hint: "name the \(kind.rawValue)"
                    )
                }
                return nil
            }
            keyField = source
            long = section
        }
        guard let key = keyField.filledText() else { return nil }
        context.places[.use(kind, key, by: name.rawValue)] = keyField.position
        let target = long?["target"]?.filledText() ?? key
        let directory = kind == .secret ? "/run/secrets" : "/"
        var mount = SharedFileMount(source: key, target: ComposePath.absolute(target, in: directory))
        mount.uid = long?["uid"].flatMap(owner)
        mount.gid = long?["gid"].flatMap(owner)
        mount.mode = long?["mode"]?.permissions()
        if let mode = mount.mode, mode & 0o222 != 0, let field = long?["mode"] {
            field.warning(
                "compose.mode.writable",
                "\(field.path): a \(kind.rawValue) is read-only, whoever may write it by its permissions",
                hint: "write 0" + String(mode & ~0o222, radix: 8)
            )
        }
        return mount
    }

    /// A number; 0 is the same as none.
    private func owner(_ field: Field) -> UInt32? {
        field.integer(in: 0...Int(UInt32.max - 1)).flatMap { $0 == 0 ? nil : UInt32($0) }
    }

    /// Two files at one place: one of them would not be seen.
    private func checkTargets(_ section: Section, _ service: Service) {
        var taken: [String: String] = [:]
        for mount in service.mounts { taken[mount.target] = "a volume" }
        for (kind, mounts) in [("secret", service.secrets), ("config", service.configs ?? [])] {
            for mount in mounts {
                let name = "the \(kind) \(mount.source)"
                if let other = taken[mount.target] {
                    section[kind + "s"]?.error(
                        "compose.mount.twice",
                        "services.\(self.name).\(kind)s: \(name) is to be at \(mount.target), where \(other) is already",
                        hint: "give one of them another `target`"
                    )
                }
                taken[mount.target] = name
            }
        }
    }
}

import EscaleCore
import EscaleYAML

/// The secrets and configs that a service sees, and that a build does.
extension ServiceReader {
    func readSharedFiles(_ section: Section, into service: inout Service) {
        let secrets = section["secrets"].map { sharedFiles($0, .secret, .serviceSecret) } ?? []
        let configs = section["configs"].map { sharedFiles($0, .config, .serviceConfig) } ?? []
        service.secrets = secrets.map(\.mount)
        service.configs = configs.map(\.mount).filled
        checkTargets(secrets, configs, beside: service.mounts)
    }

    /// The list's items with where they stand.
    typealias PlacedMount = (mount: SharedFileMount, item: Field)

    func sharedFiles(
        _ field: Field,
        _ kind: Place.Resource,
        _ scope: ComposeAttribute.Scope
    ) -> [PlacedMount] {
        let example = "write a list such as [\(kind == .secret ? "db_password" : "nginx_conf")]"
        return (field.items(hint: example) ?? []).compactMap { item in
            sharedFile(item, kind, scope).map { ($0, item) }
        }
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
    private func checkTargets(_ secrets: [PlacedMount], _ configs: [PlacedMount], beside mounts: [Mount]) {
        var taken = Dictionary(
            mounts.map { ($0.target, "a volume") },
            uniquingKeysWith: { first, _ in first }
        )
        for (kind, files) in [("secret", secrets), ("config", configs)] {
            for (mount, item) in files {
                let name = "the \(kind) \(mount.source)"
                if let other = taken[mount.target] {
                    item.error(
                        "compose.mount.twice",
                        "\(item.path): \(name) is to be at \(mount.target), where \(other) is already",
                        hint: "give one of them another `target`"
                    )
                }
                taken[mount.target] = name
            }
        }
    }
}

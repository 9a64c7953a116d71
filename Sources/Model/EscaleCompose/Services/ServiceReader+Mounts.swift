import EscaleCore

/// Volumes, bind mounts, tmpfs and secrets.
extension ServiceReader {
    func readMounts(_ section: Section, into service: inout Service) {
        var targets: [String: SourcePosition] = [:]
        func add(_ mount: Mount?, from item: Field) {
            guard let mount else { return }
            if let first = targets[mount.target] {
                item.error(
                    "compose.mount.twice",
                    "\(item.path): \(mount.target) is mounted twice, first at \(first)",
                    hint: "remove one of the two"
                )
                return
            }
            targets[mount.target] = item.position
            service.mounts.append(mount)
        }
        for item in section["volumes"]?.items(hint: "write a list such as [\"data:/var/lib/data\"]") ?? [] {
            add(!item.isMapping ? shortMount(item) : longMount(item), from: item)
        }
        for item in section["tmpfs"]?.texts() ?? [] { add(tmpfs(item), from: item) }
        readSecrets(section, into: &service)
    }

    /// `[source:]target[:options]`.
    private func shortMount(_ item: Field) -> Mount? {
        let forms = "write VOLUME:/path, ./directory:/path or /path, with :ro behind it to forbid writing"
        guard let text = item.filledText(hint: forms) else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 3, !parts.contains("") else {
            item.error("compose.mount", "\(item.path): \"\(text)\" is no mount", hint: forms)
            return nil
        }
        guard parts.count > 1 else {
            guard isTarget(parts[0], item, hint: forms) else { return nil }
            return Mount(.anonymous, target: ComposePath.clean(parts[0]))
        }
        guard isTarget(parts[1], item, hint: forms) else { return nil }
        let target = ComposePath.clean(parts[1])
        let source = source(parts[0], item)
        guard let isReadOnly = isReadOnly(options: parts.count == 3 ? parts[2] : "rw", item) else {
            return nil
        }
        return Mount(source, target: target, readOnly: isReadOnly)
    }

    private func source(_ text: String, _ item: Field) -> Mount.Source {
        if let first = text.first, "/.~".contains(first) {
            return .bind(path: item.resolve(text), create: true)
        }
        noteVolume(text, item)
        return .volume(key: text)
    }

    private func noteVolume(_ key: String, _ item: Field) {
        let place = Place.use(.volume, key, by: name.rawValue)
        context.places[place] = context.places[place] ?? item.position
    }

    private func isReadOnly(options: String, _ item: Field) -> Bool? {
        var isReadOnly = false
        for option in options.split(separator: ",") {
            switch option {
            case "ro": isReadOnly = true
            case "rw", "cached", "delegated", "consistent", "rprivate": break
            case "z", "Z", "nocopy":
                item.warning(
                    "compose.mount.option",
                    "\(item.path): the option \(option) has no effect yet",
                    hint: option == "nocopy"
                        ? "an empty volume takes the image's files" : "files are not relabelled for SELinux"
                )
            default:
                item.error(
                    "compose.mount.option",
                    "\(item.path): the option \"\(option)\" is not supported",
                    hint: "possible are ro and rw"
                )
                return nil
            }
        }
        return isReadOnly
    }

    private func longMount(_ item: Field) -> Mount? {
        guard let section = item.section(.mount) else { return nil }
        let kinds = "possible are bind, volume and tmpfs"
        guard let typeField = section["type"] else {
            item.error("compose.mount.type", "\(item.path) has no `type`", hint: kinds)
            return nil
        }
        guard let type = typeField.text(hint: kinds) else { return nil }
        guard let targetField = section["target"] else {
            item.error(
                "compose.mount.target",
                "\(item.path) has no `target`",
                hint: "name the path in the container: target: /data"
            )
            return nil
        }
        guard let target = targetField.filledText(),
            isTarget(target, targetField, hint: "write an absolute path")
        else { return nil }
        for kind in ["bind", "volume", "tmpfs"] where kind != type && section[kind]?.isNull == false {
            section[kind]?.warning(
                "compose.mount.options",
                "\(item.path).\(kind) has no effect on a mount of type \(type)"
            )
        }
        let source: Mount.Source?
        switch type {
        case "bind": source = bind(section, item)
        case "volume": source = volume(section, item)
        case "tmpfs": source = tmpfs(section, item)
        default:
            let isKnown = ["cluster", "npipe", "image"].contains(type)
            typeField.error(
                "compose.mount.type",
                "\(typeField.path): \"\(type)\" is \(isKnown ? "not supported yet" : "no type of mount")",
                hint: kinds
            )
            source = nil
        }
        let isReadOnly = section["read_only"]?.boolean() ?? false
        return source.map { Mount($0, target: ComposePath.clean(target), readOnly: isReadOnly) }
    }

    private func bind(_ section: Section, _ item: Field) -> Mount.Source? {
        let options = section["bind"].flatMap { $0.isNull ? nil : $0.section(.mountBind) }
        guard let field = section["source"] else {
            item.error(
                "compose.mount.source",
                "\(item.path) has no `source`",
                hint: "name the path on this machine: source: ./data"
            )
            return nil
        }
        return field.filledText().map {
            .bind(path: field.resolve($0), create: options?["create_host_path"]?.boolean() ?? true)
        }
    }

    private func volume(_ section: Section, _ item: Field) -> Mount.Source? {
        if let options = section["volume"], !options.isNull { _ = options.section(.mountVolume) }
        guard let field = section["source"] else { return .anonymous }
        guard let key = field.filledText() else { return nil }
        noteVolume(key, field)
        return .volume(key: key)
    }

    private func tmpfs(_ section: Section, _ item: Field) -> Mount.Source {
        section["source"]?.warning(
            "compose.mount.source",
            "\(item.path): a tmpfs has no source; it is left out"
        )
        let options = section["tmpfs"].flatMap { $0.isNull ? nil : $0.section(.mountTmpfs) }
        return .tmpfs(size: options?["size"]?.bytes(), mode: options?["mode"].flatMap(mode))
    }

    /// `/path[:size=64m,mode=1777]`.
    private func tmpfs(_ item: Field) -> Mount? {
        let form = "write /run, or /run:size=64m,mode=755"
        guard let text = item.filledText(hint: form) else { return nil }
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard let target = parts.first, isTarget(target, item, hint: form) else { return nil }
        var size: ByteCount?
        var mode: UInt32?
        var readOnly = false
        for option in (parts.count == 2 ? parts[1] : "").split(separator: ",") {
            let pair = option.split(separator: "=", maxSplits: 1).map(String.init)
            switch (pair[0], pair.count == 2 ? pair[1] : "") {
            case ("size", let value) where ByteCount(compose: value) != nil: size = ByteCount(compose: value)
            case ("mode", let value) where UInt32(value, radix: 8) != nil: mode = UInt32(value, radix: 8)
            case ("ro", ""): readOnly = true
            case ("rw", ""), ("nosuid", ""), ("nodev", ""), ("noexec", ""), ("noatime", ""): break
            default:
                item.error(
                    "compose.tmpfs.option",
                    "\(item.path): the option \"\(option)\" is not supported",
                    hint: form
                )
                return nil
            }
        }
        return Mount(.tmpfs(size: size, mode: mode), target: ComposePath.clean(target), readOnly: readOnly)
    }

    /// Permissions in octal, however YAML reads the digits.
    private func mode(_ field: Field) -> UInt32? {
        guard let text = field.text() else { return nil }
        let digits = text.hasPrefix("0o") ? String(text.dropFirst(2)) : text
        if let mode = UInt32(digits, radix: 8), mode <= 0o7777 { return mode }
        field.error(
            "compose.mode",
            "\(field.path): \"\(text)\" are no permissions",
            hint: "write them in octal, such as 0755"
        )
        return nil
    }

    private func isTarget(_ path: String, _ item: Field, hint: String) -> Bool {
        if path.hasPrefix("/") { return true }
        item.error(
            "compose.mount.target",
            "\(item.path): \"\(path)\" is no absolute path in the container",
            hint: hint
        )
        return false
    }

    // MARK: Secrets

    private func readSecrets(_ section: Section, into service: inout Service) {
        for item in section["secrets"]?.items(hint: "write a list such as [db_password]") ?? [] {
            var keyField = item
            var target: String?
            if item.isMapping {
                guard let long = item.section(.serviceSecret) else { continue }
                guard let source = long["source"] else {
                    item.error(
                        "compose.secret.source",
                        "\(item.path) has no `source`",
                        hint: "name the secret"
                    )
                    continue
                }
                keyField = source
                target = long["target"]?.filledText()
            }
            guard let key = keyField.filledText() else { continue }
            context.places[.use(.secret, key, by: name.rawValue)] = keyField.position
            let path = ComposePath.absolute(target ?? key, in: "/run/secrets")
            service.secrets.append(SecretMount(secret: key, target: path))
        }
    }
}

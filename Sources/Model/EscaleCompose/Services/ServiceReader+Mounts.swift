import EscaleCore

/// Volumes, bind mounts and tmpfs.
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
        var mount = Mount(source(parts[0], item), target: target)
        guard read(options: parts.count == 3 ? parts[2] : "rw", item, into: &mount) else { return nil }
        return mount
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

    /// The words after the second colon; whether all of them are known.
    private func read(options text: String, _ item: Field, into mount: inout Mount) -> Bool {
        var options = MountOptions()
        for option in text.split(separator: ",").map(String.init) {
            switch option {
            case "ro": mount.readOnly = true
            case "rw": mount.readOnly = false
            case "cached", "delegated", "consistent": options.consistency = option
            case "z", "Z":
                options.relabelling = MountOptions.Relabelling(rawValue: option)
                warnIgnored(option, item, "files are not relabelled for SELinux")
            case "nocopy": options.keepsEmpty = true
            default:
                guard let propagation = MountOptions.Propagation(rawValue: option) else {
                    item.error(
                        "compose.mount.option",
                        "\(item.path): the option \"\(option)\" is not supported",
                        hint: "possible are ro, rw, nocopy, z, Z, and rprivate, rslave or rshared of a bind mount"
                    )
                    return false
                }
                options.propagation = propagation
            }
        }
        let isBind = if case .bind = mount.source { true } else { false }
        if !isBind, let propagation = options.propagation {
            item.error(
                "compose.mount.option",
                "\(item.path): \(propagation.rawValue) is for bind mounts",
                hint: "remove it: nobody mounts anything below a volume"
            )
            return false
        }
        mount.options = filled(options, unlike: MountOptions())
        return true
    }

    private func warnIgnored(_ option: String, _ item: Field, _ instead: String) {
        item.warning(
            "compose.mount.option",
            "\(item.path): the option \(option) has no effect yet",
            hint: instead
        )
    }

    private func longMount(_ item: Field) -> Mount? {
        guard let section = item.section(.mount) else { return nil }
        let kinds = "possible are bind, volume, tmpfs, image, cluster and npipe"
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
        for kind in ["bind", "image", "volume", "tmpfs"] where kind != type && section[kind]?.isNull == false
        {
            section[kind]?.warning(
                "compose.mount.options",
                "\(item.path).\(kind) has no effect on a mount of type \(type)"
            )
        }
        var options = MountOptions()
        let source: Mount.Source?
        switch type {
        case "bind": source = bind(section, item, &options)
        case "volume": source = volume(section, item, &options)
        case "tmpfs": source = tmpfs(section, item)
        case "image": source = image(section, item, &options)
        case "cluster", "npipe": source = foreign(type, typeField, section, item)
        default:
            let near = Suggestion.nearest(
                to: type,
                among: ["bind", "volume", "tmpfs", "image", "cluster", "npipe"]
            )
            typeField.error(
                "compose.mount.type",
                "\(typeField.path): \"\(type)\" is no type of mount",
                hint: (near.map { "did you mean \($0)? " } ?? "") + kinds
            )
            source = nil
        }
        options.consistency = section["consistency"]?.choice(of: Consistency.self)?.rawValue
        let isReadOnly = section["read_only"]?.boolean() ?? false
        guard let source else { return nil }
        var mount = Mount(source, target: ComposePath.clean(target), readOnly: isReadOnly)
        mount.options = filled(options, unlike: MountOptions())
        return mount
    }

    private enum Consistency: String, CaseIterable { case cached, consistent, delegated, `default` }

    /// A mount of a type that the engine doesn't have.
    private func foreign(
        _ type: String,
        _ typeField: Field,
        _ section: Section,
        _ item: Field
    ) -> Mount.Source? {
        context.refuse(
            "\(typeField.path): the type \(type) is not supported",
            at: typeField.position,
            hint: "possible are bind, volume, tmpfs and image"
        )
        guard let source = section["source"] else {
            item.error("compose.mount.source", "\(item.path) has no `source`", hint: "name what to mount")
            return nil
        }
        guard let name = source.filledText() else { return nil }
        return type == "cluster" ? .cluster(name) : .pipe(name)
    }

    private func image(_ section: Section, _ item: Field, _ options: inout MountOptions) -> Mount.Source? {
        let image = section["image"].flatMap { $0.isNull ? nil : $0.section(.mountImage) }
        options.subpath = image?["subpath"].flatMap(subpath)
        guard let source = section["source"] else {
            item.error(
                "compose.mount.source", "\(item.path) has no `source`", hint: "name an image: source: nginx:1.27")
            return nil
        }
        return source.filledText().map { .image($0) }
    }

    private func bind(_ section: Section, _ item: Field, _ options: inout MountOptions) -> Mount.Source? {
        let bind = section["bind"].flatMap { $0.isNull ? nil : $0.section(.mountBind) }
        options.propagation = bind?["propagation"]?.choice(of: MountOptions.Propagation.self)
        options.recursion = bind?["recursive"]?.choice(of: MountOptions.Recursion.self)
        options.relabelling = bind?["selinux"]?.choice(of: MountOptions.Relabelling.self)
        guard let field = section["source"] else {
            item.error(
                "compose.mount.source",
                "\(item.path) has no `source`",
                hint: "name the path on this machine: source: ./data"
            )
            return nil
        }
        return field.filledText().map {
            .bind(path: field.resolve($0), create: bind?["create_host_path"]?.boolean() ?? true)
        }
    }

    private func volume(_ section: Section, _ item: Field, _ options: inout MountOptions) -> Mount.Source? {
        if let volume = section["volume"].flatMap({ $0.isNull ? nil : $0.section(.mountVolume) }) {
            options.labels = volume["labels"]?.labels().filled
            options.keepsEmpty = volume.flag("nocopy")
            options.subpath = volume["subpath"].flatMap(subpath)
        }
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
        return .tmpfs(size: options?["size"]?.bytes(), mode: options?["mode"]?.permissions())
    }

    /// `/path[:size=64m,mode=1777]`.
    private func tmpfs(_ item: Field) -> Mount? {
        let form = "write /run, or /run:size=64m,mode=755; possible are too uid=, gid=, nr_inodes=, noexec, exec and others of mount(8)"
        guard let text = item.filledText(hint: form) else { return nil }
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard let target = parts.first, isTarget(target, item, hint: form) else { return nil }
        var size: ByteCount?
        var mode: UInt32?
        var readOnly = false
        var words: [String] = []
        for option in (parts.count == 2 ? parts[1] : "").split(separator: ",") {
            let pair = option.split(separator: "=", maxSplits: 1).map(String.init)
            switch (pair[0], pair.count == 2 ? pair[1] : "") {
            case ("size", let value) where ByteCount(compose: value) != nil: size = ByteCount(compose: value)
            case ("mode", let value) where UInt32(value, radix: 8) != nil: mode = UInt32(value, radix: 8)
            case ("ro", ""): readOnly = true
            case ("rw", ""): readOnly = false
            case (let flag, "") where Self.tmpfsFlags.contains(flag): words.append(flag)
            case ("uid", let value) where UInt32(value) != nil: words.append("uid=\(value)")
            case ("gid", let value) where UInt32(value) != nil: words.append("gid=\(value)")
            case ("nr_inodes", let value) where ByteCount(compose: value) != nil: words.append("nr_inodes=\(value)")
            case ("nr_blocks", let value) where ByteCount(compose: value) != nil: words.append("nr_blocks=\(value)")
            default:
                item.error(
                    "compose.tmpfs.option",
                    "\(item.path): the option \"\(option)\" is not supported",
                    hint: form
                )
                return nil
            }
        }
        var mount = Mount(.tmpfs(size: size, mode: mode), target: ComposePath.clean(target), readOnly: readOnly)
        mount.tmpfsItem = text
        mount.options = words.isEmpty ? nil : MountOptions()
        mount.options?.words = words
        return mount
    }

    private static let tmpfsFlags: Set<String> = [
        "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "atime", "nodiratime", "diratime", "relatime",
        "norelatime", "strictatime", "nostrictatime", "sync", "async",
    ]

    /// A path inside of what is mounted.
    private func subpath(_ field: Field) -> String? {
        guard let path = field.filledText() else { return nil }
        guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
            field.error(
                "compose.path",
                "\(field.path): \"\(path)\" must lie inside of what is mounted",
                hint: "write it relative and without .., such as data/db"
            )
            return nil
        }
        return path
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
}

import EscaleCompose
import EscaleCore
import EscaleYAML
import FoundationEssentials

/// Secrets and configs: Secret, ConfigMap, and how pods see them.
extension KubernetesMapping {
    // MARK: Names

    func secretName(_ key: String) -> String { name(of: project.secrets.first { $0.key == key }, key) }

    func configName(_ key: String) -> String { name(of: (project.configs ?? []).first { $0.key == key }, key) }

    private func name(of file: SharedFile?, _ key: String) -> String {
        // What exists already has the name that the file gives it.
        ObjectNames.label(file?.isExternal == true ? file?.name ?? key : key)
    }

    /// A path as a key of a ConfigMap or a Secret: letters, digits, `-`, `_`, `.`.
    static func key(_ path: String) -> String {
        String(
            path.map { character in
                character.isASCII && (character.isLetter || character.isNumber || "-_.".contains(character)) ? character : "."
            })
    }

    // MARK: In pods

    mutating func addSharedFiles(of service: Service, to pod: inout PodVolumes) {
        let usual = "/run/secrets/"
        let together = service.secrets.filter { $0.target.hasPrefix(usual) && !$0.target.dropFirst(usual.count).contains("/") }
        if !together.isEmpty {
            let sources = together.map { secret in
                YAMLValue.object([
                    "secret": .object([
                        "name": .string(secretName(secret.source)),
                        "items": .list([item(secret, path: String(secret.target.dropFirst(usual.count)), of: service, "secrets")]),
                    ])
                ])
            }
            let name = pod.volume("secrets", key: "secrets", ["projected": .object(["sources": .list(sources)])])
            pod.mount(name, at: "/run/secrets", readOnly: true)
        }
        for secret in service.secrets where !together.contains(secret) {
            let source = YAMLValue.object([
                "secretName": .string(secretName(secret.source)), "items": .list([item(secret, path: "file", of: service, "secrets")]),
            ])
            let name = pod.volume("secret-\(secret.source)", key: "secret \(secret)", ["secret": source])
            pod.mount(name, at: secret.target, subpath: "file", readOnly: true)
        }
        for config in service.configs ?? [] {
            let source = YAMLValue.object([
                "name": .string(configName(config.source)), "items": .list([item(config, path: "file", of: service, "configs")]),
            ])
            let name = pod.volume("config-\(config.source)", key: "config \(config)", ["configMap": source])
            pod.mount(name, at: config.target, subpath: "file", readOnly: true)
        }
    }

    private mutating func item(_ file: SharedFileMount, path: String, of service: Service, _ attribute: String) -> YAMLValue {
        var mode = file.mode
        if file.uid != nil || file.gid != nil {
            // A file in such a volume is root's; only the container's own processes see it.
            mode = (mode ?? 0o444) | 0o444
            note(.approximated, service, attribute, "\(file.target) belongs to root there, and can be read by all of the container's users")
        }
        return .object([
            "key": .string(Self.key(file.source)), "path": .string(path), "mode": .number(Int(mode ?? 0o444) & 0o777),
        ])
    }

    // MARK: Objects

    mutating func configObjects() -> [KubernetesObject] {
        var objects: [KubernetesObject] = []
        let used = Set(project.services.flatMap { ($0.configs ?? []).map(\.source) })
        for config in project.configs ?? [] where used.contains(config.key) && config.isExternal != true {
            guard let bytes = bytes(of: config, "configs") else { continue }
            objects.append(configMapObject(configName(config.key), [config.key: bytes]))
        }
        return objects
    }

    /// The Secrets whose values are known here, as the options want them.
    mutating func secretObjects() -> [KubernetesObject] {
        switch options.secrecy {
        case .reference: return []
        case .values:
            return neededSecrets().compactMap { secret in
                var data: [YAMLValue.Member] = []
                for (key, source) in secret.values.sorted(by: { $0.key < $1.key }) {
                    guard let bytes = value(source, at: ["secrets", key]) else { return nil }
                    data.append(.init(key, .string(Data(bytes).base64EncodedString())))
                }
                return KubernetesObject("v1", "Secret", secret.name, ["type": "Opaque", "data": .map(data)])
            }
        case .external:
            return neededSecrets().filter { !$0.values.values.contains(.elsewhere) }.map { secret in
                let data = secret.values.keys.sorted().map { key in
                    YAMLValue.object([
                        "secretKey": .string(key),
                        "remoteRef": .object(["key": .string("\(names.project)/\(secret.name)"), "property": .string(key)]),
                    ])
                }
                return KubernetesObject(
                    "external-secrets.io/v1", "ExternalSecret", secret.name,
                    [
                        "spec": .object([
                            "refreshInterval": "1h",
                            "secretStoreRef": .object(["kind": "ClusterSecretStore", "name": .string(options.secretStore)]),
                            "target": .object(["name": .string(secret.name)]),
                            "data": .list(data),
                        ])
                    ])
            }
        }
    }

    /// Every Secret that the pods use.
    func neededSecrets() -> [NeededSecret] {
        var needed: [NeededSecret] = []
        let used = Set(project.services.flatMap { $0.secrets.map(\.source) })
        let managed = Set(project.externalServices.compactMap(\.secret))
        for secret in project.secrets where used.contains(secret.key) {
            let source: NeededSecret.Source =
                if secret.isExternal == true || managed.contains(secret.key) { .elsewhere }
                else if let content = secret.content { .text(content) }
                else if let file = secret.file { .file(file) }
                else { .elsewhere }
            needed.append(NeededSecret(name: secretName(secret.key), values: [Self.key(secret.key): source]))
        }
        let external = Set(project.externalServices.map(\.service))
        for service in project.services where !external.contains(service.name) {
            let variables = Self.secretVariables(of: service)
            guard !variables.isEmpty else { continue }
            needed.append(NeededSecret(name: variablesName(of: service), values: variables.mapValues { .text($0) }))
        }
        return needed
    }

    private mutating func value(_ source: NeededSecret.Source, at path: [String]) -> [UInt8]? {
        switch source {
        case .text(let text): return Array(text.utf8)
        case .elsewhere: return nil
        case .file(let file):
            if case .contents(let bytes) = files.read(file) { return bytes }
            note(.lost, at: path, "\(file) can't be read, so that its value is in no Secret")
            return nil
        }
    }

    private mutating func bytes(of file: SharedFile, _ section: String) -> [UInt8]? {
        if let content = file.content { return Array(content.utf8) }
        guard let path = file.file else { return nil }
        switch files.read(path) {
        case .contents(let bytes): return bytes
        case .directory:
            note(.lost, at: [section, file.key], "\(path) is a directory")
            return nil
        case .failed(let why):
            note(.lost, at: [section, file.key], "\(path) can't go into a ConfigMap: \(why)")
            return nil
        }
    }

    /// Adds a ConfigMap with the files, once, and gives its name.
    mutating func configMap(_ wanted: String, _ contents: [String: [UInt8]]) -> String {
        let object = configMapObject(wanted, contents)
        if let same = extras.first(where: { $0.content == object.content && $0.name.hasPrefix(wanted) }) { return same.name }
        var taken = Set(extras.map(\.name) + (project.configs ?? []).map { configName($0.key) })
        var named = object
        named.name = ObjectNames.free(wanted, &taken)
        extras.append(named)
        return named.name
    }

    private func configMapObject(_ name: String, _ contents: [String: [UInt8]]) -> KubernetesObject {
        var texts: [YAMLValue.Member] = []
        var binaries: [YAMLValue.Member] = []
        for (path, bytes) in contents.sorted(by: { $0.key < $1.key }) {
            let text = String(decoding: bytes, as: UTF8.self)
            if Array(text.utf8) == bytes, !text.contains("\0") {
                texts.append(.init(Self.key(path), .string(text)))
            } else {
                binaries.append(.init(Self.key(path), .string(Data(bytes).base64EncodedString())))
            }
        }
        return KubernetesObject(
            "v1", "ConfigMap", name,
            ["data": YAMLValue.map(texts).unlessEmpty, "binaryData": YAMLValue.map(binaries).unlessEmpty])
    }
}

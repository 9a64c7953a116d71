import EscaleCompose
import EscaleCore
import EscaleYAML

/// What every pod of a service is made from.
extension KubernetesMapping {
    /// - Parameter restart: `nil` for pods that always run.
    mutating func podTemplate(of service: Service, restart: String? = nil) -> YAMLValue {
        let volumes = self.volumes(of: service)
        var labels = names.common.merging(names.selector(service.name)) { $1 }
        for attachment in service.networks { labels[ObjectNames.network(attachment.network)] = "true" }
        return .object([
            "metadata": .object(["labels": .texts(labels), "annotations": .texts(podAnnotations(of: service))]),
            "spec": .map(podSpec(of: service, volumes, restart)),
        ])
    }

    private mutating func podSpec(of service: Service, _ volumes: PodVolumes, _ restart: String?) -> [YAMLValue.Member] {
        let spaces = service.namespaces
        noteNamespaces(of: service)
        if let name = service.hostname, ObjectNames.label(name) != name {
            note(.approximated, service, "hostname", "\"\(name)\" can't be a pod's: it is \(ObjectNames.label(name))")
        }
        let placement = placement(of: service)
        let container = container(of: service, volumes)
        return YAMLValue.object([
            "restartPolicy": restart.map { .string($0) },
            "serviceAccountName": .string(names.project),
            "automountServiceAccountToken": false,
            // Variables such as REDIS_PORT=tcp://… that Compose doesn't make.
            "enableServiceLinks": false,
            "initContainers": YAMLValue.list(initContainers(of: service, volumes)).unlessEmpty,
            "containers": .list([container]),
            "volumes": YAMLValue.list(volumes.volumes).unlessEmpty,
            "terminationGracePeriodSeconds": .number(grace(of: service)),
            "securityContext": podSecurity(of: service),
            "hostNetwork": Self.isHost(spaces?.network) ? true : nil,
            "hostPID": Self.isHost(spaces?.pid) ? true : nil,
            "hostIPC": Self.isHost(spaces?.ipc) ? true : nil,
            "hostname": service.hostname.map { .string(ObjectNames.label($0)) },
            "hostAliases": hostAliases(of: service),
            "dnsPolicy": Self.isHost(spaces?.network) ? "ClusterFirstWithHostNet" : nil,
            "dnsConfig": dnsConfig(of: service),
            "nodeSelector": .texts(placement.selector),
            "affinity": placement.affinity,
            "topologySpreadConstraints": spread(of: service),
            "runtimeClassName": service.security?.runtime.map { .string(ObjectNames.label($0)) },
        ]).members
    }

    /// Namespaces that are neither a pod's own nor the node's.
    private mutating func noteNamespaces(of service: Service) {
        let spaces = service.namespaces
        for (attribute, mode) in [("network_mode", spaces?.network), ("ipc", spaces?.ipc), ("pid", spaces?.pid)] {
            guard let mode, !Self.isHost(mode), !["bridge", "default", "private", "shareable"].contains(mode.text) else { continue }
            note(.lost, service, attribute, "`\(mode.text)`: every pod has a namespace of its own")
        }
    }

    static func isHost(_ mode: NamespaceMode?) -> Bool { mode == .named("host") }

    private func podAnnotations(of service: Service) -> [String: String] {
        // Labels of containers are free text, which labels of objects are not.
        let texts = service.labels.merging(service.annotations ?? [:]) { $1 }
        var annotations = Dictionary(texts.map { (Self.annotationName($0.key), $0.value) }, uniquingKeysWith: { first, _ in first })
        let contents = configContents(of: service)
        if !contents.isEmpty { annotations["\(ObjectNames.domain)/config"] = StableHash.text(contents) }
        return annotations
    }

    /// The text as an annotation's name: one `/` at most, and no other sign than `-`, `_` and `.`.
    private static func annotationName(_ text: String) -> String {
        var seenSlash = false
        var name = String(
            text.map { character in
                if character.isASCII && (character.isLetter || character.isNumber || "-_.".contains(character)) { return character }
                if character == "/" && !seenSlash {
                    seenSlash = true
                    return character
                }
                return "-"
            }
            .prefix(63))
        while name.last.map({ !$0.isLetter && !$0.isNumber }) == true { name.removeLast() }
        while name.first.map({ !$0.isLetter && !$0.isNumber }) == true { name.removeFirst() }
        return name.isEmpty ? "label" : name
    }

    /// What makes pods new ones when it changes: a file that is mounted alone is never brought up to date.
    private func configContents(of service: Service) -> String {
        (service.configs ?? []).compactMap { mount -> String? in
            guard let config = (project.configs ?? []).first(where: { $0.key == mount.source }) else { return nil }
            if let content = config.content { return content }
            guard let path = config.file, case .contents(let bytes) = files.read(path) else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }
        .joined(separator: "\0")
    }

    // MARK: Names

    private mutating func hostAliases(of service: Service) -> YAMLValue? {
        var byAddress: [String: [String]] = [:]
        for host in service.names?.extraHosts ?? [] {
            for address in host.addresses {
                if address == "host-gateway" {
                    note(.lost, service, "extra_hosts", "\(host.name): a node has no address of that name")
                } else {
                    byAddress[address, default: []].append(host.name)
                }
            }
        }
        let aliases = byAddress.sorted { $0.key < $1.key }.map { address, names in
            YAMLValue.object(["ip": .string(address), "hostnames": .strings(names)])
        }
        return YAMLValue.list(aliases).unlessEmpty
    }

    private func dnsConfig(of service: Service) -> YAMLValue? {
        guard let names = service.names else { return nil }
        let options = names.resolverOptions.map { option in
            let parts = option.split(separator: ":", maxSplits: 1)
            return YAMLValue.object([
                "name": .string(String(parts.first ?? "")), "value": parts.count == 2 ? .string(String(parts[1])) : nil,
            ])
        }
        return .filledObject([
            "nameservers": YAMLValue.strings(names.servers).unlessEmpty,
            "searches": YAMLValue.strings(names.searchDomains).unlessEmpty,
            "options": YAMLValue.list(options).unlessEmpty,
        ])
    }

    // MARK: Nodes

    /// `placement.constraints` and `platform` as demands on nodes.
    private mutating func placement(of service: Service) -> (selector: [String: String], affinity: YAMLValue?) {
        var selector: [String: String] = [:]
        if let platform = service.imageSettings?.platform {
            let parts = platform.split(separator: "/")
            if parts.count >= 2 {
                selector["kubernetes.io/os"] = String(parts[0])
                selector["kubernetes.io/arch"] = String(parts[1])
            }
        }
        var unlike: [YAMLValue] = []
        for constraint in service.deploy?.placement?.constraints ?? [] {
            guard let (key, isEqual, value) = Self.demand(constraint) else {
                note(.lost, service, "deploy.placement.constraints", "\"\(constraint)\" speaks of what Kubernetes' nodes don't have")
                continue
            }
            if isEqual {
                selector[key] = value
            } else {
                unlike.append(.object(["key": .string(key), "operator": "NotIn", "values": .list([.string(value)])]))
            }
        }
        guard !unlike.isEmpty else { return (selector, nil) }
        let terms = YAMLValue.list([.object(["matchExpressions": .list(unlike)])])
        return (
            selector,
            .object([
                "nodeAffinity": .object([
                    "requiredDuringSchedulingIgnoredDuringExecution": .object(["nodeSelectorTerms": terms])
                ])
            ])
        )
    }

    /// `node.labels.zone == a`, `node.hostname != n1`, `node.platform.arch == x86_64`.
    private static func demand(_ constraint: String) -> (key: String, isEqual: Bool, value: String)? {
        let isEqual = constraint.contains("==")
        guard let sign = constraint.firstRange(of: isEqual ? "==" : "!=") else { return nil }
        func trimmed(_ text: Substring) -> String { String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
        let (subject, value) = (trimmed(constraint[..<sign.lowerBound]), trimmed(constraint[sign.upperBound...]))
        switch subject {
        case "node.hostname": return ("kubernetes.io/hostname", isEqual, value)
        case "node.platform.os": return ("kubernetes.io/os", isEqual, value)
        case "node.platform.arch": return ("kubernetes.io/arch", isEqual, ["x86_64": "amd64", "aarch64": "arm64"][value] ?? value)
        default:
            guard subject.hasPrefix("node.labels.") else { return nil }
            return (String(subject.dropFirst("node.labels.".count)), isEqual, value)
        }
    }

    /// Replicas are spread over zones and nodes as far as that goes, and over what the file asks for.
    private func spread(of service: Service) -> YAMLValue? {
        guard service.replicas > 1 || service.autoscale != nil, service.deploy?.mode != .global else { return nil }
        func constraint(_ key: String, skew: Int = 1, isHard: Bool = false) -> YAMLValue {
            .object([
                "maxSkew": .number(skew), "topologyKey": .string(key),
                "whenUnsatisfiable": isHard ? "DoNotSchedule" : "ScheduleAnyway",
                "labelSelector": .object(["matchLabels": .texts(names.selector(service.name))]),
            ])
        }
        var constraints = [constraint("topology.kubernetes.io/zone")]
        for preference in service.deploy?.placement?.spread ?? [] {
            let key = preference.hasPrefix("node.labels.") ? String(preference.dropFirst("node.labels.".count)) : preference
            if key != "topology.kubernetes.io/zone" { constraints.append(constraint(key)) }
        }
        let most = service.deploy?.placement?.mostReplicas ?? 0
        constraints.append(constraint("kubernetes.io/hostname", skew: max(1, most), isHard: most > 0))
        return .list(constraints)
    }
}

/// A number for a text that is the same everywhere: FNV-1a with 64 bits, in base 36. Nothing to keep secrets with.
enum StableHash {
    static func text(_ text: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 36)
    }
}

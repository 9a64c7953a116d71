import EscaleCore
import EscaleYAML

/// A Helm chart (v2): the manifests as templates, and the values that differ from one installation to the next.
package enum HelmChart {
    /// Files by their paths in the chart's directory.
    package static func files(_ set: ManifestSet) -> [String: String] {
        var values = Values()
        var files: [String: String] = [:]
        // The release's namespace is Helm's business.
        for object in set.objects where !object.isOfCluster {
            let manifest = values.template(of: object)
            files["templates/\(ManifestFiles.fileName(object))"] = values.filled(YAMLWriter.text(manifest))
        }
        files["values.yaml"] = YAMLWriter.text(values.tree)
        files["Chart.yaml"] = YAMLWriter.text(
            .object([
                "apiVersion": "v2", "name": .string(set.project), "description": .string("The application \(set.project)"),
                "type": "application", "version": "0.1.0",
            ]))
        return files
    }

    /// What is taken out of the manifests.
    private struct Values {
        private var services: [(name: String, members: [(key: String, value: YAMLValue)])] = []
        /// By service.
        private var hosts: [String: [String]] = [:]
        /// By the sign that stands for it in the text.
        private var expressions: [String: String] = [:]

        var tree: YAMLValue {
            .map(services.map { service in .init(service.name, .map(service.members.map { .init($0.key, $0.value) })) })
        }

        mutating func template(of object: KubernetesObject) -> YAMLValue {
            guard let service = object.service else { return object.manifest(namespace: nil) }
            let key = Self.key(service)
            switch object.kind {
            case "Deployment", "StatefulSet", "Rollout", "DaemonSet", "Job", "CronJob":
                var object = object
                if object.kind == "Job" {
                    // A job that runs once for each revision, under a name of its own.
                    object.name = sign("\(service)-{{ .Release.Revision }}")
                }
                let manifest = object.manifest(namespace: nil)
                return replacing(manifest, in: key, own: service, image: Self.image(of: service, in: manifest))
            case "Ingress", "HTTPRoute", "HorizontalPodAutoscaler":
                return replacing(object.manifest(namespace: nil), in: key, own: service)
            default: return object.manifest(namespace: nil)
            }
        }

        /// The image of the service's own container.
        private static func image(of service: String, in value: YAMLValue) -> String? {
            switch value {
            case .map(let members):
                if value["name"]?.stringValue == service, let image = value["image"]?.stringValue { return image }
                return members.lazy.compactMap { image(of: service, in: $0.value) }.first
            case .list(let items): return items.lazy.compactMap { image(of: service, in: $0) }.first
            case .null, .bool, .int, .double, .string: return nil
            }
        }

        /// The service's image, replicas, hosts and resources.
        private mutating func replacing(_ value: YAMLValue, in service: String, own: String, image: String? = nil) -> YAMLValue {
            switch value {
            case .map(let members):
                // Other containers of the pod may have the same image, or one of their own.
                let isOwn = value["name"]?.stringValue == own
                return .map(
                    members.map { member in
                        switch (member.key, member.value) {
                        case ("image", .string(let text)) where text == image: return .init("image", reference(service, "image", member.value))
                        case ("replicas", .int): return .init("replicas", reference(service, "replicas", member.value))
                        case ("minReplicas", .int): return .init("minReplicas", reference(service, "minReplicas", member.value))
                        case ("maxReplicas", .int): return .init("maxReplicas", reference(service, "maxReplicas", member.value))
                        case ("host", .string(let host)) where value["http"] != nil:
                            let key = "host" + number(of: host, service)
                            return .init("host", reference(service, key, member.value))
                        case ("resources", .map) where isOwn: return .init("resources", reference(service, "resources", member.value))
                        default: return .init(member.key, replacing(member.value, in: service, own: own, image: image))
                        }
                    })
            case .list(let items): return .list(items.map { replacing($0, in: service, own: own, image: image) })
            case .null, .bool, .int, .double, .string: return value
            }
        }

        /// Nothing for a service's first host, then 2 and so on.
        private mutating func number(of host: String, _ service: String) -> String {
            let known = hosts[service, default: []]
            if let index = known.firstIndex(of: host) { return index == 0 ? "" : "\(index + 1)" }
            hosts[service, default: []].append(host)
            return known.isEmpty ? "" : "\(known.count + 1)"
        }

        private mutating func reference(_ service: String, _ key: String, _ value: YAMLValue) -> YAMLValue {
            let index = services.firstIndex { $0.name == service } ?? services.endIndex
            if index == services.endIndex { services.append((service, [])) }
            if !services[index].members.contains(where: { $0.key == key }) { services[index].members.append((key, value)) }
            let isTree = if case .map = value { true } else { false }
            return .string(sign("{{ .Values.\(service).\(key) | \(isTree ? "toJson" : value.stringValue == nil ? "int" : "quote") }}"))
        }

        /// A plain word that stands for the expression until all is written.
        private mutating func sign(_ expression: String) -> String {
            let sign = "escale0\(expressions.count)x"
            expressions[sign] = expression
            return sign
        }

        /// The text with the expressions in it, and what it has of braces itself left alone by Helm.
        func filled(_ text: String) -> String {
            var text = text.replacing("{{", with: "{{ \"{{\" }}")
            for (sign, expression) in expressions { text = text.replacing(sign, with: expression) }
            return text
        }

        /// A name that Go's templates take behind a dot: letters and digits.
        private static func key(_ name: String) -> String {
            var parts = name.split(separator: "-").map(String.init)
            for index in parts.indices.dropFirst() { parts[index] = parts[index].prefix(1).uppercased() + parts[index].dropFirst() }
            return parts.joined()
        }
    }
}

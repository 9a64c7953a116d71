package import EscaleYAML

/// One object of the Kubernetes API, as a manifest describes it.
package struct KubernetesObject: Hashable, Sendable {
    package var apiVersion: String
    package var kind: String
    package var name: String
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]
    /// What stands beside `apiVersion`, `kind` and `metadata`: `spec`, `data` and the like.
    package var content: [YAMLValue.Member]
    /// The service that it is for; `nil` for the whole project's.
    package var service: String?

    package init(_ apiVersion: String, _ kind: String, _ name: String, _ content: KeyValuePairs<String, YAMLValue?>) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.name = name
        self.content = content.compactMap { key, value in value.map { .init(key, $0) } }
    }

    /// Whether it stands in no namespace.
    package var isOfCluster: Bool { kind == "Namespace" }

    /// The manifest.
    ///
    /// - Parameter namespace: `nil` leaves it to whoever applies the manifest.
    package func manifest(namespace: String?) -> YAMLValue {
        .map(
            [
                .init("apiVersion", .string(apiVersion)), .init("kind", .string(kind)),
                .init(
                    "metadata",
                    .object([
                        "name": .string(name),
                        "namespace": isOfCluster ? nil : namespace.map { .string($0) },
                        "labels": .texts(labels),
                        "annotations": .texts(annotations),
                    ])),
            ] + content)
    }
}

extension KubernetesObject: CustomStringConvertible {
    /// `Deployment/web`.
    package var description: String { "\(kind)/\(name)" }
}

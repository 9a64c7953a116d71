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
    /// Of workloads that releases wait for.
    package var plan: WorkloadPlan?

    package init(_ apiVersion: String, _ kind: String, _ name: String, _ content: KeyValuePairs<String, YAMLValue?>) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.name = name
        self.content = content.compactMap { key, value in value.map { .init(key, $0) } }
    }

    /// The versions in which servers may have the kind, the best one first; all have the same fields for what is written here.
    package var versions: [String] {
        switch kind {
        case "CronJob": [apiVersion, "batch/v1beta1"]
        case "PodDisruptionBudget": [apiVersion, "policy/v1beta1"]
        case "HorizontalPodAutoscaler": [apiVersion, "autoscaling/v2beta2"]
        case "HTTPRoute": [apiVersion, "gateway.networking.k8s.io/v1beta1"]
        case "ExternalSecret": [apiVersion, "external-secrets.io/v1beta1"]
        default: [apiVersion]
        }
    }

    /// Every kind that a project can have, each with the versions of it.
    package static let kinds: [KubernetesObject] = [
        ("v1", "ServiceAccount"), ("v1", "Secret"), ("v1", "ConfigMap"), ("v1", "PersistentVolumeClaim"), ("v1", "Service"), ("v1", "Endpoints"),
        ("networking.k8s.io/v1", "NetworkPolicy"), ("networking.k8s.io/v1", "Ingress"), ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("batch/v1", "Job"), ("batch/v1", "CronJob"),
        ("argoproj.io/v1alpha1", "Rollout"), ("external-secrets.io/v1", "ExternalSecret"),
        ("autoscaling/v2", "HorizontalPodAutoscaler"), ("policy/v1", "PodDisruptionBudget"),
    ].map { KubernetesObject($0.0, $0.1, "", [:]) }

    /// Whether it runs pods.
    package var isWorkload: Bool { WorkloadKind(rawValue: kind) != nil }

    /// Whether it holds data that nothing brings back.
    package var holdsData: Bool { kind == "PersistentVolumeClaim" || kind == "Namespace" }

    /// Whether it is in no namespace.
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

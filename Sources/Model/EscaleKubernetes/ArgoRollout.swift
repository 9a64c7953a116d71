import EscaleCompose
import EscaleCore
import EscaleYAML

/// Releases by Argo Rollouts (argoproj.io/v1alpha1), for those who have it in their cluster.
extension KubernetesMapping {
    mutating func rollout(of service: Service, _ name: String) -> KubernetesObject {
        if service.release.analysis != nil {
            note(.lost, service, "x-escale.release.analysis", "Argo Rollouts judges by an AnalysisTemplate, which needs your Prometheus: write one")
        }
        return KubernetesObject(
            "argoproj.io/v1alpha1", "Rollout", name,
            [
                "spec": .object([
                    "replicas": service.autoscale == nil ? .number(service.replicas) : nil,
                    "revisionHistoryLimit": 3,
                    "selector": selector(of: service),
                    "template": podTemplate(of: service),
                    "strategy": service.release.strategy == .blueGreen ? blueGreen(service, name) : canary(service),
                ])
            ])
    }

    private func blueGreen(_ service: Service, _ name: String) -> YAMLValue {
        .object([
            "blueGreen": .object([
                "activeService": .string(name),
                "autoPromotionEnabled": .bool(!service.release.promotesByHand),
                "scaleDownDelaySeconds": .number(Self.seconds(service.release.keepWarm)),
            ])
        ])
    }

    private func canary(_ service: Service) -> YAMLValue {
        var steps: [YAMLValue] = []
        for step in service.release.steps {
            steps.append(.object(["setWeight": .number(step.weight)]))
            switch step.pause {
            case .manual: steps.append(.object(["pause": .map([])]))
            case .lasting(let time): steps.append(.object(["pause": .object(["duration": .string("\(Self.seconds(time))s")])]))
            }
        }
        return .object(["canary": .object(["steps": .list(steps)])])
    }
}

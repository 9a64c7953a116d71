import EscaleCompose
import EscaleCore
import EscaleYAML

/// Who may talk to whom, how many pods may be missing, and how many there are.
extension KubernetesMapping {
    /// One NetworkPolicy for each network: its pods hear one another and nobody else; what is published, everybody.
    mutating func networkPolicies(of services: [Service]) -> [KubernetesObject] {
        var policies: [KubernetesObject] = []
        for network in project.networks(of: services) {
            let members = YAMLValue.object(["podSelector": .object(["matchLabels": network.label])])
            policies.append(
                KubernetesObject(
                    "networking.k8s.io/v1", "NetworkPolicy", ObjectNames.label("network-\(network.key)"),
                    [
                        "spec": .object([
                            "podSelector": .object(["matchLabels": network.label]),
                            "policyTypes": .list(["Ingress"]),
                            "ingress": .list([.object(["from": .list([members])])]),
                        ])
                    ]))
        }
        for service in services {
            if let policy = wayIn(to: service) { policies.append(policy) }
            if let policy = wayOut(of: service) { policies.append(policy) }
        }
        return policies
    }

    private func wayIn(to service: Service) -> KubernetesObject? {
        var numbers = service.ports.map { ($0.containerPort, $0.transport == .udp) }
        if service.http != nil, let http = httpPort(of: service), !numbers.contains(where: { $0.0 == http && !$0.1 }) {
            numbers.append((http, false))
        }
        guard !numbers.isEmpty, !service.networks.isEmpty else { return nil }
        var seen: Set<YAMLValue> = []
        let ports = numbers.map { number, isUDP in
            YAMLValue.object(["port": .number(Int(number)), "protocol": isUDP ? "UDP" : "TCP"])
        }
        .filter { seen.insert($0).inserted }
        return policy(
            "\(names.service(service.name))-published", of: service,
            ["policyTypes": .list(["Ingress"]), "ingress": .list([.object(["ports": .list(ports)])])])
    }

    /// A service on internal networks alone reaches their pods and the resolver, and nothing else.
    private func wayOut(of service: Service) -> KubernetesObject? {
        let networks = service.networks.compactMap { attachment in project.networks.first { $0.key == attachment.network } }
        guard !networks.isEmpty, networks.allSatisfy(\.isInternal) else { return nil }
        let peers = networks.map { network in
            YAMLValue.object(["podSelector": .object(["matchLabels": network.label])])
        }
        let resolver = ["UDP", "TCP"].map { YAMLValue.object(["port": 53, "protocol": .string($0)]) }
        return policy(
            "\(names.service(service.name))-internal", of: service,
            [
                "policyTypes": .list(["Egress"]),
                "egress": .list([.object(["to": .list(peers)]), .object(["ports": .list(resolver)])]),
            ])
    }

    private func policy(_ name: String, of service: Service, _ rules: KeyValuePairs<String, YAMLValue?>) -> KubernetesObject {
        var object = KubernetesObject(
            "networking.k8s.io/v1", "NetworkPolicy", ObjectNames.label(name),
            ["spec": .map([.init("podSelector", selector(of: service))] + YAMLValue.object(rules).members)])
        object.service = names.service(service.name)
        return object
    }

    // MARK: Numbers

    /// The HorizontalPodAutoscaler and the PodDisruptionBudget of a service.
    func companions(of service: Service) -> [KubernetesObject] {
        let kind = kind(of: service)
        guard kind == .deployment || kind == .statefulSet || kind == .rollout else { return [] }
        let name = names.service(service.name)
        var objects: [KubernetesObject] = []
        if let autoscale = service.autoscale {
            let metric = YAMLValue.object([
                "type": "Resource",
                "resource": .object([
                    "name": "cpu", "target": .object(["type": "Utilization", "averageUtilization": .number(autoscale.processor)]),
                ]),
            ])
            objects.append(
                KubernetesObject(
                    "autoscaling/v2", "HorizontalPodAutoscaler", name,
                    [
                        "spec": .object([
                            "scaleTargetRef": .object([
                                "apiVersion": kind == .rollout ? "argoproj.io/v1alpha1" : "apps/v1", "kind": .string(kind.rawValue),
                                "name": .string(name),
                            ]),
                            "minReplicas": .number(autoscale.least),
                            "maxReplicas": .number(autoscale.most),
                            "metrics": .list([metric]),
                        ])
                    ]))
        }
        if (service.autoscale?.least ?? service.replicas) > 1 {
            objects.append(
                KubernetesObject(
                    "policy/v1", "PodDisruptionBudget", name,
                    ["spec": .object(["maxUnavailable": 1, "selector": selector(of: service)])]))
        }
        for index in objects.indices { objects[index].service = name }
        return objects
    }
}

extension Network {
    /// By which policies know the pods on the network.
    fileprivate var label: YAMLValue { .map([.init(ObjectNames.network(key), "true")]) }
}

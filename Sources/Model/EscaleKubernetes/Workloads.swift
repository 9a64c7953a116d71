import EscaleCompose
import EscaleCore
import EscaleYAML

/// What runs a service's pods.
package enum WorkloadKind: String, Hashable, Sendable {
    case deployment = "Deployment"
    case statefulSet = "StatefulSet"
    case daemonSet = "DaemonSet"
    case job = "Job"
    case cronJob = "CronJob"
    case rollout = "Rollout"
}

extension KubernetesMapping {
    func kind(of service: Service) -> WorkloadKind {
        if service.schedule != nil { return .cronJob }
        switch service.deploy?.mode {
        case .global: return .daemonSet
        case .globalJob, .replicatedJob: return .job
        case .replicated, nil: break
        }
        if isOneShot(service) { return .job }
        if service.mounts.contains(where: { Self.isKept($0) }) || service.volumesFrom?.isEmpty == false { return .statefulSet }
        return options.strategies == .argo && service.release.strategy != .rolling ? .rollout : .deployment
    }

    /// Whether it is expected to end: it isn't started again when it did, and somebody waits for its end.
    private func isOneShot(_ service: Service) -> Bool {
        switch service.restart {
        case .always, .unlessStopped: return false
        case .no, .onFailure: break
        }
        return project.services.contains { other in
            other.dependencies.contains { $0.service == service.name && $0.condition == .completed }
        }
    }

    private static func isKept(_ mount: Mount) -> Bool {
        if case .volume = mount.source { return !mount.readOnly }
        return false
    }

    mutating func workload(of service: Service) -> KubernetesObject {
        let name = names.service(service.name)
        switch kind(of: service) {
        case .deployment: return deployment(of: service, name)
        case .rollout: return rollout(of: service, name)
        case .statefulSet: return statefulSet(of: service, name)
        case .daemonSet: return daemonSet(of: service, name)
        case .job: return job(of: service, name)
        case .cronJob: return cronJob(of: service, name)
        }
    }

    // MARK: Long-running

    private mutating func deployment(of service: Service, _ name: String) -> KubernetesObject {
        noteRestart(of: service)
        return KubernetesObject(
            "apps/v1", "Deployment", name,
            [
                "spec": .object([
                    "replicas": replicas(of: service),
                    "revisionHistoryLimit": 3,
                    "minReadySeconds": minReady(of: service),
                    "progressDeadlineSeconds": .number(deadline(of: service)),
                    "strategy": exchange(of: service),
                    "selector": selector(of: service),
                    "template": podTemplate(of: service),
                ])
            ])
    }

    private mutating func statefulSet(of service: Service, _ name: String) -> KubernetesObject {
        noteRestart(of: service)
        if service.release.strategy != .rolling {
            note(
                .approximated, service, "x-escale.release.strategy",
                "it writes a volume, so that its pods are exchanged one after the other")
        }
        return KubernetesObject(
            "apps/v1", "StatefulSet", name,
            [
                "spec": .object([
                    "replicas": replicas(of: service),
                    "serviceName": .string(name),
                    "podManagementPolicy": "Parallel",
                    "updateStrategy": .object(["type": "RollingUpdate"]),
                    "selector": selector(of: service),
                    "template": podTemplate(of: service),
                ])
            ])
    }

    private mutating func daemonSet(of service: Service, _ name: String) -> KubernetesObject {
        noteRestart(of: service)
        return KubernetesObject(
            "apps/v1", "DaemonSet", name,
            [
                "spec": .object([
                    "minReadySeconds": minReady(of: service),
                    "updateStrategy": .object([
                        "type": "RollingUpdate",
                        "rollingUpdate": .object(["maxUnavailable": Self.batch(service.update)]),
                    ]),
                    "selector": selector(of: service),
                    "template": podTemplate(of: service),
                ])
            ])
    }

    /// Kubernetes starts such pods again whenever they end.
    private mutating func noteRestart(of service: Service) {
        let policy = service.deploy?.restart.map(\.policy) ?? service.restart
        switch policy {
        case .always, .unlessStopped: break
        case .onFailure:
            note(.approximated, service, service.deploy?.restart == nil ? "restart" : "deploy.restart_policy", "it is started again after a good end too")
        // Not a word of the file is no wish.
        case .no: break
        }
    }

    /// Left to the autoscaler where there is one, so that applying doesn't undo what it did.
    private func replicas(of service: Service) -> YAMLValue? { service.autoscale == nil ? .number(service.replicas) : nil }

    func selector(of service: Service) -> YAMLValue { .object(["matchLabels": .texts(names.selector(service.name))]) }

    /// How long a pod is watched before it counts.
    private func minReady(of service: Service) -> YAMLValue? {
        let watched = max(service.update?.monitor ?? .zero, service.release.minHealthy ?? .zero)
        let between = service.update?.delay ?? .zero
        let seconds = Self.seconds(max(watched, between))
        return seconds > 0 ? .number(seconds) : nil
    }

    /// When a release that gets nowhere has failed: never before a pod could have become ready.
    private func deadline(of service: Service) -> Int {
        let starting = service.healthcheck?.startPeriod.map(Self.seconds) ?? 0
        return max(600, 2 * starting + Self.seconds(service.update?.monitor ?? .zero) + 60)
    }

    private func exchange(of service: Service) -> YAMLValue {
        let batch = Self.batch(service.update)
        let isStartFirst = service.update?.order.map { $0 == .startFirst } ?? !service.excludesOtherVersions
        if !isStartFirst, service.replicas <= 1 || service.update?.parallelism == 0 { return .object(["type": "Recreate"]) }
        return .object([
            "type": "RollingUpdate",
            "rollingUpdate": .object([
                "maxSurge": isStartFirst ? batch : 0, "maxUnavailable": isStartFirst ? 0 : batch,
            ]),
        ])
    }

    private static func batch(_ update: UpdateConfig?) -> YAMLValue {
        guard let parallelism = update?.parallelism else { return 1 }
        return parallelism == 0 ? "100%" : .number(parallelism)
    }

    // MARK: Jobs

    private mutating func jobSpec(of service: Service) -> YAMLValue {
        let policy = service.deploy?.restart.map(\.policy) ?? service.restart
        let retries: Int? =
            switch policy {
            case .no: 0
            case .onFailure(let retries): retries ?? 6
            case .always, .unlessStopped: 6
            }
        let count = service.deploy?.mode == .replicatedJob ? service.replicas : nil
        if service.deploy?.mode == .globalJob {
            note(.approximated, service, "deploy.mode", "it runs once, not once on every node")
        }
        return .object([
            "backoffLimit": retries.map { .number($0) },
            "completions": count.map { .number($0) },
            "parallelism": count.map { .number($0) },
            "template": podTemplate(of: service, restart: "Never"),
        ])
    }

    /// A Job can't be changed: another one is made where anything of it is different.
    private mutating func job(of service: Service, _ name: String) -> KubernetesObject {
        let spec = jobSpec(of: service)
        let version = StableHash.text(YAMLWriter.text(spec)).prefix(8)
        return KubernetesObject("batch/v1", "Job", "\(name.prefix(54))-\(version)", ["spec": spec])
    }

    private mutating func cronJob(of service: Service, _ name: String) -> KubernetesObject {
        KubernetesObject(
            "batch/v1", "CronJob", String(name.prefix(52)),
            [
                "spec": .object([
                    "schedule": .string(service.schedule ?? ""),
                    "concurrencyPolicy": "Forbid",
                    "successfulJobsHistoryLimit": 3,
                    "failedJobsHistoryLimit": 3,
                    "jobTemplate": .object(["spec": jobSpec(of: service)]),
                ])
            ])
    }
}

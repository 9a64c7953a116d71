import EscaleCore
import EscaleKubernetes
package import EscaleYAML

/// How far a workload is, and why it isn't further.
package struct WorkloadStanding: Sendable, Hashable {
    package enum Phase: Sendable, Hashable {
        case ready
        case progressing
        /// It won't get there by waiting.
        case failed(String)
    }

    package var phase: Phase
    /// `2/3 ready`.
    package var text: String
}

extension ClusterProject {
    /// What the workload's own status says, and its pods' where they are in trouble.
    package func standing(of item: Placed) async throws -> WorkloadStanding {
        guard let live = try await client.get(item.resource, item.object.name, namespace: namespace) else {
            return WorkloadStanding(phase: .failed("it is gone"), text: "gone")
        }
        let standing = Self.standing(of: live)
        guard standing.phase == .progressing, let trouble = try await trouble(of: live) else { return standing }
        return WorkloadStanding(phase: trouble.isFinal ? .failed(trouble.text) : .progressing, text: "\(standing.text), \(trouble.text)")
    }

    /// By the status alone.
    static func standing(of live: YAMLValue) -> WorkloadStanding {
        let status = live["status"] ?? .map([])
        func count(_ key: String) -> Int64 { status[key]?.intValue ?? 0 }
        let isSeen = count("observedGeneration") >= live.value(at: "metadata", "generation")?.intValue ?? 0
        let wanted = live.value(at: "spec", "replicas")?.intValue ?? 1
        switch live["kind"]?.stringValue {
        case "Deployment":
            if let stuck = condition("Progressing", of: live), stuck["status"]?.stringValue == "False" {
                return WorkloadStanding(phase: .failed(stuck["message"]?.stringValue ?? "it makes no progress"), text: "\(count("readyReplicas"))/\(wanted) ready")
            }
            let isDone = isSeen && count("updatedReplicas") == wanted && count("replicas") == wanted && count("availableReplicas") == wanted
            return WorkloadStanding(phase: isDone ? .ready : .progressing, text: "\(isSeen ? min(count("updatedReplicas"), count("readyReplicas")) : 0)/\(wanted) ready")
        case "StatefulSet":
            let isNew = status["currentRevision"]?.stringValue == status["updateRevision"]?.stringValue || count("updatedReplicas") == wanted
            let isDone = isSeen && isNew && count("readyReplicas") == wanted && count("replicas") == wanted
            return WorkloadStanding(phase: isDone ? .ready : .progressing, text: "\(isSeen ? count("readyReplicas") : 0)/\(wanted) ready")
        case "DaemonSet":
            let nodes = count("desiredNumberScheduled")
            let isDone = isSeen && count("updatedNumberScheduled") == nodes && count("numberAvailable") == nodes
            return WorkloadStanding(phase: isDone ? .ready : .progressing, text: "\(count("numberReady"))/\(nodes) ready")
        case "Job":
            if let failed = condition("Failed", of: live), failed["status"]?.stringValue == "True" {
                return WorkloadStanding(phase: .failed(failed["message"]?.stringValue ?? "it failed"), text: "failed")
            }
            let isDone = condition("Complete", of: live)?["status"]?.stringValue == "True"
            return WorkloadStanding(phase: isDone ? .ready : .progressing, text: isDone ? "completed" : "running")
        default: return WorkloadStanding(phase: .ready, text: "")
        }
    }

    private static func condition(_ type: String, of live: YAMLValue) -> YAMLValue? {
        live.value(at: "status", "conditions")?.items.first { $0["type"]?.stringValue == type }
    }

    // MARK: Pods

    /// The pods of a workload's present version, the newest last.
    ///
    /// - Parameter includesEnding: with those that were told to go.
    package func pods(of live: YAMLValue, includesEnding: Bool = false) async throws -> [YAMLValue] {
        guard let resource = try await client.resource("Pod", in: ["v1"]) else { return [] }
        var labels = Self.selector(of: live)
        guard !labels.isEmpty else { return [] }
        if let (label, value) = try await version(of: live) { labels[label] = value }
        return try await client.list(resource, namespace: namespace, labels: labels)
            .filter { includesEnding || $0.value(at: "metadata", "deletionTimestamp") == nil }.sorted {
            ($0.value(at: "metadata", "creationTimestamp")?.stringValue ?? "") < ($1.value(at: "metadata", "creationTimestamp")?.stringValue ?? "")
        }
    }

    static func selector(of live: YAMLValue) -> [String: String] {
        Dictionary(
            (live.value(at: "spec", "selector", "matchLabels")?.members ?? []).compactMap { member in member.value.stringValue.map { (member.key, $0) } },
            uniquingKeysWith: { $1 })
    }

    /// The label of pods of the workload's present version; `nil` where there is none to tell them by.
    func version(of live: YAMLValue) async throws -> (label: String, value: String)? {
        let labels = Self.selector(of: live)
        switch live["kind"]?.stringValue {
        case "StatefulSet": return live.value(at: "status", "updateRevision")?.stringValue.map { ("controller-revision-hash", $0) }
        case "Deployment":
            let key = "deployment.kubernetes.io/revision"
            guard let revision = live.value(at: "metadata", "annotations")?[key], let sets = try await client.resource("ReplicaSet", in: ["apps/v1"])
            else { return nil }
            let present = try await client.list(sets, namespace: namespace, labels: labels)
                .first { set in
                    // Another Deployment's pods may have these labels too.
                    let owners = set.value(at: "metadata", "ownerReferences")?.items ?? []
                    return owners.contains { $0["uid"] == live.value(at: "metadata", "uid") } && set.value(at: "metadata", "annotations")?[key] == revision
                }
            return present?.value(at: "metadata", "labels", "pod-template-hash")?.stringValue.map { ("pod-template-hash", $0) }
        default: return nil
        }
    }

    /// What keeps the newest pod from getting ready.
    private func trouble(of live: YAMLValue) async throws -> (text: String, isFinal: Bool)? {
        guard let pod = try await pods(of: live).last else { return nil }
        for status in Self.statuses(of: pod) {
            let name = status["name"]?.stringValue ?? ""
            let restarts = status["restartCount"]?.intValue ?? 0
            guard let waiting = status.value(at: "state", "waiting"), let reason = waiting["reason"]?.stringValue else { continue }
            switch reason {
            case "PodInitializing", "ContainerCreating": continue
            case "CrashLoopBackOff", "RunContainerError", "CreateContainerError": return ("\(name): \(reason)", restarts >= 3)
            case "InvalidImageName", "ErrImageNeverPull": return ("\(name): \(reason)", true)
            default: return ("\(name): \(reason)\(waiting["message"]?.stringValue.map { ": \($0)" } ?? "")", false)
            }
        }
        let condition = pod.value(at: "status", "conditions")?.items.first { $0["type"]?.stringValue == "PodScheduled" && $0["status"]?.stringValue == "False" }
        return condition.map { ("no node takes it: \($0["message"]?.stringValue ?? "")", false) }
    }

    /// What there is to see of a workload that doesn't get ready: its newest pod's last state, events and output.
    package func evidence(of item: Placed) async throws -> String {
        guard let live = try await client.get(item.resource, item.object.name, namespace: namespace) else { return "" }
        guard let pod = try await pods(of: live).last else {
            return try await client.events(kind: item.object.kind, name: item.object.name, namespace: namespace).suffix(5).joined(separator: "\n")
        }
        return try await evidence(of: pod)
    }

    /// The containers of a pod, those that come first first.
    static func statuses(of pod: YAMLValue) -> [YAMLValue] {
        (pod.value(at: "status", "initContainerStatuses")?.items ?? []) + (pod.value(at: "status", "containerStatuses")?.items ?? [])
    }

    /// A pod's last state, events and output.
    func evidence(of pod: YAMLValue) async throws -> String {
        let name = pod.value(at: "metadata", "name")?.stringValue ?? ""
        var lines: [String] = []
        for event in try await client.events(kind: "Pod", name: name, namespace: namespace).suffix(6) { lines.append("pod \(name): \(event)") }
        for status in Self.statuses(of: pod) {
            guard let container = status["name"]?.stringValue else { continue }
            if let ended = status.value(at: "state", "terminated") ?? status.value(at: "lastState", "terminated"), ended["exitCode"]?.intValue != 0 {
                lines.append("\(container) ended with \(ended["exitCode"]?.intValue ?? -1): \(ended["reason"]?.stringValue ?? "")")
            }
            let isReady = status["ready"]?.boolValue ?? false
            guard !isReady, status["restartCount"]?.intValue ?? 0 > 0 || status.value(at: "state", "running") != nil || status.value(at: "state", "terminated") != nil
            else { continue }
            let isFormer = status.value(at: "state", "waiting") != nil
            // Output that is no longer there is no reason to fail.
            let output = try? await client.logTail(pod: name, container: container, namespace: namespace, lines: 10, isFormer: isFormer)
            for line in (output ?? "").split(separator: "\n") { lines.append("\(container) | \(line)") }
        }
        return lines.joined(separator: "\n")
    }
}

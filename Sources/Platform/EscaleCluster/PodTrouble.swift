package import EscaleYAML

/// What a pod's status says of it.
package enum PodTrouble {
    package static func isReady(_ pod: YAMLValue) -> Bool {
        guard pod.value(at: "metadata", "deletionTimestamp") == nil else { return false }
        return pod.value(at: "status", "conditions")?.items.contains { $0["type"]?.stringValue == "Ready" && $0["status"]?.stringValue == "True" } ?? false
    }

    /// Why a pod of a version that has to prove itself has failed; `nil` where it hasn't. One that ended has, whether it is started
    /// again or not.
    package static func failure(of pod: YAMLValue) -> String? {
        if pod.value(at: "status", "phase")?.stringValue == "Failed" { return pod.value(at: "status", "message")?.stringValue ?? "it ended" }
        for status in pod.value(at: "status", "containerStatuses")?.items ?? [] {
            let name = status["name"]?.stringValue ?? ""
            if status["restartCount"]?.intValue ?? 0 > 0 || status.value(at: "state", "terminated") != nil { return "\(name) ended by itself" }
        }
        for status in ClusterProject.statuses(of: pod) {
            guard let waiting = status.value(at: "state", "waiting"), let reason = waiting["reason"]?.stringValue else { continue }
            guard ["ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerError", "CreateContainerConfigError", "RunContainerError"].contains(reason)
            else { continue }
            return "\(status["name"]?.stringValue ?? ""): \(reason)\(waiting["message"]?.stringValue.map { ": \($0)" } ?? "")"
        }
        return nil
    }
}

import EscaleCluster
import EscaleCore
import EscaleHTTP
import EscaleKubernetes
import EscaleTestExpectations
import EscaleYAML
import Testing

/// How far a workload is, by its status and its pods.
@Suite struct WorkloadStandingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let kind: String
        /// JSON of all but the kind; `nil` for one that isn't there.
        let live: String?
        /// JSON each.
        var pods: [String] = []
        let phase: WorkloadStanding.Phase
        let text: String
        var testDescription: String { "\(kind): \(text)" }
    }

    private static func deployment(_ status: String, generation: Int = 2, replicas: String = "3") -> String {
        #""metadata":{"generation":\#(generation)},"spec":{"replicas":\#(replicas),"selector":{"matchLabels":{"app":"web"}}},"status":{\#(status)}"#
    }

    private static let rolling = deployment(#""observedGeneration":2,"updatedReplicas":2,"replicas":3,"availableReplicas":2,"readyReplicas":2"#)

    private static func pod(_ state: String, restarts: Int = 0, more: String = "", at time: Int = 1) -> String {
        #"{"metadata":{"name":"p\#(time)","creationTimestamp":"2026-01-0\#(time)T00:00:00Z"\#(more)},"#
            + #""status":{"containerStatuses":[{"name":"web","restartCount":\#(restarts),"state":\#(state)}]}}"#
    }

    private static func waiting(_ reason: String, _ message: String = "") -> String {
        #"{"waiting":{"reason":"\#(reason)"\#(message.isEmpty ? "" : ",\"message\":\"\(message)\"")}}"#
    }

    @Test(arguments: [
        Case(kind: "Deployment", live: nil, phase: .failed("it is gone"), text: "gone"),
        Case(
            kind: "Deployment", live: deployment(#""observedGeneration":2,"updatedReplicas":3,"replicas":3,"availableReplicas":3,"readyReplicas":3"#),
            phase: .ready, text: "3/3 ready"),
        Case(
            kind: "Deployment", live: deployment(#""observedGeneration":2"#, replicas: "0"), phase: .ready, text: "0/0 ready"),
        // The controller hasn't seen it yet: its figures are of the former version.
        Case(
            kind: "Deployment", live: deployment(#""observedGeneration":1,"updatedReplicas":3,"replicas":3,"availableReplicas":3,"readyReplicas":3"#),
            phase: .progressing, text: "0/3 ready"),
        // A pod of the former version is still there.
        Case(
            kind: "Deployment", live: deployment(#""observedGeneration":2,"updatedReplicas":3,"replicas":4,"availableReplicas":4,"readyReplicas":4"#),
            phase: .progressing, text: "3/3 ready"),
        Case(
            kind: "Deployment",
            live: deployment(
                #""observedGeneration":2,"readyReplicas":1,"conditions":[{"type":"Progressing","status":"False","message":"deadline exceeded"}]"#),
            phase: .failed("deadline exceeded"), text: "1/3 ready"),
        Case(kind: "Deployment", live: rolling, phase: .progressing, text: "2/3 ready"),
        Case(kind: "Deployment", live: rolling, pods: [pod(waiting("ContainerCreating"))], phase: .progressing, text: "2/3 ready"),
        Case(
            kind: "Deployment", live: rolling, pods: [pod(waiting("ImagePullBackOff", "no such tag"))], phase: .progressing,
            text: "2/3 ready, web: ImagePullBackOff: no such tag"),
        Case(
            kind: "Deployment", live: rolling, pods: [pod(waiting("InvalidImageName"))], phase: .failed("web: InvalidImageName"),
            text: "2/3 ready, web: InvalidImageName"),
        Case(
            kind: "Deployment", live: rolling, pods: [pod(waiting("CrashLoopBackOff"), restarts: 2)], phase: .progressing,
            text: "2/3 ready, web: CrashLoopBackOff"),
        Case(
            kind: "Deployment", live: rolling, pods: [pod(waiting("CrashLoopBackOff"), restarts: 3)], phase: .failed("web: CrashLoopBackOff"),
            text: "2/3 ready, web: CrashLoopBackOff"),
        // The newest pod counts, and none that goes.
        Case(
            kind: "Deployment", live: rolling,
            pods: [
                pod(waiting("ErrImageNeverPull"), more: #","deletionTimestamp":"2026-01-05T00:00:00Z""#, at: 3), pod(#"{"running":{}}"#, at: 2),
                pod(waiting("InvalidImageName"), at: 1),
            ], phase: .progressing, text: "2/3 ready"),
        Case(
            kind: "Deployment", live: rolling,
            pods: [#"{"metadata":{},"status":{"conditions":[{"type":"PodScheduled","status":"False","message":"0/1 nodes: too little memory"}]}}"#],
            phase: .progressing, text: "2/3 ready, no node takes it: 0/1 nodes: too little memory"),
        Case(
            kind: "StatefulSet",
            live: deployment(
                #""observedGeneration":2,"currentRevision":"b","updateRevision":"b","updatedReplicas":3,"readyReplicas":3,"replicas":3"#),
            phase: .ready, text: "3/3 ready"),
        Case(
            kind: "StatefulSet",
            live: deployment(
                #""observedGeneration":2,"currentRevision":"a","updateRevision":"b","updatedReplicas":1,"readyReplicas":3,"replicas":3"#),
            phase: .progressing, text: "3/3 ready"),
        Case(
            kind: "DaemonSet", live: #""status":{"desiredNumberScheduled":2,"updatedNumberScheduled":2,"numberAvailable":2,"numberReady":2}"#, phase: .ready,
            text: "2/2 ready"),
        Case(
            kind: "DaemonSet", live: #""status":{"desiredNumberScheduled":2,"updatedNumberScheduled":1,"numberAvailable":2,"numberReady":2}"#,
            phase: .progressing, text: "2/2 ready"),
        Case(kind: "Job", live: #""status":{"active":1}"#, phase: .progressing, text: "running"),
        Case(kind: "Job", live: #""status":{"conditions":[{"type":"Complete","status":"True"}]}"#, phase: .ready, text: "completed"),
        Case(
            kind: "Job", live: #""status":{"conditions":[{"type":"Failed","status":"True","message":"too often"}]}"#, phase: .failed("too often"),
            text: "failed"),
    ])
    func stands(story: Case) async throws {
        try await FakeAPI.with(discovers: false) { request, _ in
            let path = request.encodedPath
            if let kinds = Self.versions[path] {
                let items = kinds.map { #"{"name":"\#($0.lowercased())s","kind":"\#($0)","namespaced":true}"# }
                return .json(#"{"resources":[\#(items.joined(separator: ","))]}"#)
            }
            if path.hasSuffix("/pods") { return .json(#"{"items":[\#(story.pods.joined(separator: ","))]}"#) }
            if path.hasSuffix("/replicasets") { return .json(#"{"items":[]}"#) }
            return story.live.map { .json(#"{"kind":"\#(story.kind)",\#($0)}"#) } ?? .status(404, "not found")
        } _: { api in
            let project = ClusterProject(client: try api.client(), name: "shop", namespace: "shop")
            let version = story.kind == "Job" ? "batch/v1" : "apps/v1"
            let placed = try #require(try await project.placed([KubernetesObject(version, story.kind, "web", [:])]).first)
            let standing = try await project.standing(of: placed)
            #expect(standing.phase == story.phase)
            #expect(standing.text == story.text)
        }
    }

    private static let versions = ["/api/v1": ["Pod"], "/apis/apps/v1": ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"], "/apis/batch/v1": ["Job"]]
}

import EscaleCluster
import EscaleCompose
import EscaleCore
import EscaleKubernetes

/// `escale kube rollback`
enum KubeRollback: CLICommand {
    struct Options: ClusterProjectOptions {
        var namespace: String?
        var selection = Kubeconfig.Selection()
    }

    static let path = ["kube", "rollback"]
    static let summary = "Go back to a former release in the cluster"
    static let details: String? = """
        Without a number: the release that is under way is undone; if none is, to the last one that succeeded before the present one. While \
        a blue-green release keeps its former version, that is one change of traffic. Secrets stay as they are.
        """
    static let operands = Operands.atMost(1, "[RELEASE]")
    static let flags: [Flag<Options>] = Flag.clusterProject

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let project = try session.clusterProject(options)
        let records = try await ReleaseLedger(project).records()
        let wanted: ReleaseLedger.Record?
        if let text = operands.first {
            wanted = records.first { "\($0.number)" == text }
            if wanted == nil {
                throw EscaleError(
                    .init("cluster.release"), "there is no release \(text)", hint: "there are \(records.map { "\($0.number)" }.joined(separator: ", "))")
            }
        } else {
            let present = records.last { $0.isGood || $0.isOpen }
            wanted = records.last { $0.isGood && $0.number != present?.number && !$0.objects.isEmpty }
        }
        guard let record = wanted else {
            throw EscaleError(.init("cluster.release"), "there is no former release to go back to", hint: "see `escale kube status`")
        }
        // Secrets are in no record: those that are there go on as they are.
        let secrets = try await project.all().filter { $0.object.kind == "Secret" }.map(\.object)
        let rollout = ClusterRollout(project, keeping: try session.target().project?.keptReleases ?? 10)
        let outcome = try await session.withProgress {
            try await rollout.run(record.objects, trigger: "rollback to \(record.number)", isRollback: true, keeping: secrets, report: $0)
        }
        if session.conclude(outcome) { return 0 }
        session.console.print(outcome.changes == 0 ? "Nothing to change: release \(record.number) is what runs." : "Release \(record.number) is back, as release \(outcome.release ?? 0).")
        return 0
    }
}

import EscaleAPI
import EscaleCluster
import EscaleCore
import EscaleKubernetes
import EscaleSystem

/// `escale kube delete`
enum KubeDelete: CLICommand {
    struct Options: ClusterProjectOptions {
        var namespace: String?
        var selection = Kubeconfig.Selection()
        var removesVolumes = false
    }

    static let path = ["kube", "delete"]
    static let summary = "Remove the project from the cluster"
    static let details: String? = "Volumes and the namespace stay unless --volumes is given, which removes all data."
    static let flags: [Flag<Options>] =
        [
            .toggle("volumes", "v", \.removesVolumes, "Also remove the volumes with all data, and the namespace if it was made for the project"),
        ] + Flag.clusterProject

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let project = try session.clusterProject(options)
        let all = try await project.all()
        try await session.withProgress { report in
            // Who uses something goes before it.
            for item in all.reversed() where options.removesVolumes || !item.object.holdsData {
                try await project.remove(item)
                report(ProgressEvent("\(item.object.kind) \(item.object.name)", .done, "Removed", at: .now))
            }
            if options.removesVolumes, try await project.removeNamespace() {
                report(ProgressEvent("Namespace \(project.namespace)", .done, "Removed", at: .now))
            }
        }
        let kept = all.filter { $0.object.holdsData }.map { "\($0.object)" }
        if !options.removesVolumes, !kept.isEmpty {
            session.console.print("Kept: \(spokenList(kept, last: "and")); --volumes removes them with their data.", to: .error)
        }
        return 0
    }
}

import EscaleCluster
import EscaleCore
import EscaleKubernetes

/// `escale kube diff`
enum KubeDiff: CLICommand {
    struct Options: MappingCommandOptions, ClusterCommandOptions {
        var mapping = MappingOptions(secrecy: .values)
        var strict = false
        var selection = Kubeconfig.Selection()
    }

    static let path = ["kube", "diff"]
    static let summary = "Show what applying the project would change in the cluster"
    static let details: String? = """
        By the server's own account, without changing anything. What somebody changed by hand is shown as it would be put right. Values \
        of Secrets are not shown. Ends with 0 where there is no difference, with 1 where there is one.
        """
    static let flags: [Flag<Options>] = Flag.mapping + Flag.cluster

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let mapped = try await session.mappedProject(options.mapping)
        try session.tell(mapped, strict: options.strict)
        let project = try session.clusterProject(mapped, options)
        let placed = try await project.placed(mapped.manifests.objects)
        let differences = try await project.differences(placed)
        guard !differences.isEmpty else { return 0 }
        let style = Style(session.console.output)
        var object = ""
        for difference in differences {
            if difference.object != object {
                object = difference.object
                session.console.print(style.bold(object))
            }
            let old = difference.old.map { style.red(DisplayWidth.plain($0)) } ?? "(none)"
            let new = difference.new.map { style.green(DisplayWidth.plain($0)) } ?? "(none)"
            session.console.print("  \(difference.path.isEmpty ? "" : "\(DisplayWidth.plain(difference.path)): ")\(old) → \(new)")
        }
        return 1
    }
}

import EscaleCluster
import EscaleCore
import EscaleKubernetes
import EscaleRelease

/// `escale kube status`
enum KubeStatus: CLICommand {
    struct Options: ClusterProjectOptions {
        var namespace: String?
        var selection = Kubeconfig.Selection()
    }

    static let path = ["kube", "status"]
    static let summary = "Show the project's workloads and releases in the cluster"
    static let details: String? = "What isn't ready is shown with its reason: the state of its newest pod, its events, its output. Ends with 1 then."
    static let flags: [Flag<Options>] = Flag.clusterProject

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let project = try session.clusterProject(options)
        let workloads = try await project.all().filter(\.object.isWorkload)
        guard !workloads.isEmpty else {
            session.console.print("nothing of \(project.name) is in the namespace \(project.namespace)", to: .error)
            return 1
        }
        var table = Table("WORKLOAD", "STATE", "")
        var troubled: [(ClusterProject.Placed, String)] = []
        for item in workloads {
            let standing = try await project.standing(of: item)
            switch standing.phase {
            case .ready: table.add("\(item.object)", "ready", standing.text)
            case .progressing:
                table.add("\(item.object)", "progressing", standing.text)
                troubled.append((item, standing.text))
            case .failed(let why):
                table.add("\(item.object)", "failed", why)
                troubled.append((item, why))
            }
        }
        session.console.write(table.rendered())
        for (item, _) in troubled {
            let evidence = try await project.evidence(of: item)
            guard !evidence.isEmpty else { continue }
            session.console.print("\n\(item.object):")
            for line in evidence.split(separator: "\n") { session.console.print("  \(DisplayWidth.plain(String(line)))") }
        }
        let records = try await ReleaseLedger(project).records()
        if !records.isEmpty {
            var releases = Table("RELEASE", "STATE", "AT", "IMAGES")
            for record in records.suffix(5) { releases.add("\(record.number)", record.state, record.at, record.images.joined(separator: ", ")) }
            session.console.write("\n" + releases.rendered())
        }
        if let open = records.last(where: \.isOpen), let release = open.progress?.release {
            for change in release.changes where change.waitsFor != nil {
                session.console.print("\nrelease \(release.number), \(change.service): \(change.stepText), waits for \(change.waitsFor ?? "")")
            }
        }
        return troubled.isEmpty ? 0 : 1
    }
}

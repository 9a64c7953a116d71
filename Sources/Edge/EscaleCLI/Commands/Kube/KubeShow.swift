import EscaleAPI
import EscaleCluster
import EscaleCore
import EscaleKubernetes
import EscaleRelease

/// `escale kube show`
enum KubeShow: CLICommand {
    struct Options: ClusterProjectOptions {
        var namespace: String?
        var selection = Kubeconfig.Selection()
    }

    static let path = ["kube", "show"]
    static let summary = "Show what was decided in a release in the cluster, and on which evidence"
    static let details: String? = "Without a number it shows the latest."
    static let operands = Operands.atMost(1, "[RELEASE]")
    static let flags: [Flag<Options>] = Flag.clusterProject

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let project = try session.clusterProject(options)
        let records = try await ReleaseLedger(project).records()
        let number = try operands.first.map { try Values.release($0) }
        guard let record = number == nil ? records.last : records.first(where: { $0.number == number }) else {
            throw EscaleError(
                .init("cluster.release"), number.map { "there is no release \($0)" } ?? "there is no release",
                hint: records.isEmpty ? nil : "there are \(records.map { "\($0.number)" }.joined(separator: ", "))")
        }
        let console = session.console
        console.print("release \(record.number): \(record.state), \(record.at)")
        for image in record.images { console.print("  image    \(DisplayWidth.plain(image))") }
        guard let release = record.progress?.release else { return 0 }
        console.print("  by       \(release.trigger)")
        if let reason = release.reason { console.print("  reason   \(DisplayWidth.plain(reason))") }
        for change in release.changes {
            let share = change.allocation.newShare.map { ", the new version has \($0) %" } ?? ""
            let waits = change.waitsFor.map { ", waits for \($0)" } ?? ""
            console.print("  \(change.service): \(change.kind.rawValue), \(change.stepText)\(share)\(waits)")
        }
        for decision in release.decisions {
            console.print("\(decision.at)  \(DisplayWidth.plain((decision.service.map { "\($0): " } ?? "") + decision.text))")
            for line in (decision.evidence ?? "").split(separator: "\n") { console.print("    \(DisplayWidth.plain(String(line)))") }
        }
        return 0
    }
}

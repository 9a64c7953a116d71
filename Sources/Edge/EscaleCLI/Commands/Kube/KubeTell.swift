import EscaleCluster
import EscaleCompose
import EscaleCore
import EscaleKubernetes
import EscaleRelease
import EscaleSystem

/// A command to the release that is under way in the cluster, which then goes on from here.
protocol KubeTell: CLICommand where Options == KubeTellOptions {
    static var word: String { get }
    static func tell(_ release: inout Release) throws
}

struct KubeTellOptions: ClusterProjectOptions {
    var namespace: String?
    var selection = Kubeconfig.Selection()
    var waits = true
}

extension KubeTell {
    static var path: [String] { ["kube", word] }
    static var flags: [Flag<Options>] {
        [.toggle("wait", nil, \.waits, "See the release to its end; --wait=false only tells it")] + Flag.clusterProject
    }

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let project = try session.clusterProject(options)
        let secrets = try await project.all().filter { $0.object.kind == "Secret" }.map(\.object)
        let rollout = ClusterRollout(project, keeping: try session.target().project?.keptReleases ?? 10, waits: options.waits)
        let outcome = try await session.withProgress { try await rollout.carryOn(tell, keeping: secrets, report: $0) }
        if !session.conclude(outcome) { session.console.print("release \(outcome.release ?? 0) has succeeded") }
        return 0
    }
}

/// `escale kube promote`
enum KubePromote: KubeTell {
    static let word = "promote"
    static let summary = "End the pause of the release in the cluster, or its step at hand, and go on with the next"
    static func tell(_ release: inout Release) throws { try release.promote(now: .now) }
}

/// `escale kube pause`
enum KubePause: KubeTell {
    static let word = "pause"
    static let summary = "Leave the release in the cluster as it is until it is resumed"
    static func tell(_ release: inout Release) throws { try release.pause(now: .now) }
}

/// `escale kube resume`
enum KubeResume: KubeTell {
    static let word = "resume"
    static let summary = "Let a paused release in the cluster go on, or one whose command was ended"
    static func tell(_ release: inout Release) throws { if release.isPaused { try release.resume(now: .now) } }
}

/// `escale kube abort`
enum KubeAbort: KubeTell {
    static let word = "abort"
    static let summary = "Undo the release in the cluster: go back to the version before, at once"
    static let details: String? = "It asks nothing: it is the emergency exit. Ends with 0 when the version before is back."
    static func tell(_ release: inout Release) throws { if release.state != .rollingBack { try release.abort(now: .now) } }

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let project = try session.clusterProject(options)
        let secrets = try await project.all().filter { $0.object.kind == "Secret" }.map(\.object)
        let rollout = ClusterRollout(project, keeping: try session.target().project?.keptReleases ?? 10, waits: options.waits)
        do {
            let outcome = try await session.withProgress { try await rollout.carryOn(tell, keeping: secrets, report: $0) }
            _ = session.conclude(outcome)
        } catch let error as EscaleError where error.code == .clusterUndone {
            session.console.print(DisplayWidth.plain(error.message))
        }
        return 0
    }
}

extension Session {
    /// Says of a release that has not ended what becomes of it; `false` where there is none.
    func conclude(_ outcome: ClusterRollout.Outcome) -> Bool {
        guard let release = outcome.open else { return false }
        if release.waitsForPromotion || release.isPaused {
            let reason = release.reason.map { ": \(DisplayWidth.plain($0))" } ?? ""
            console.print("release \(release.number) is paused\(reason)", to: .error)
            for change in release.changes where change.allocation.newShare == 0 && change.kind != .rolling {
                console.print("look at its new version of \(change.service) with: kubectl port-forward deployment/\(change.service)-next", to: .error)
            }
            console.print("go on with: escale kube \(release.isPaused ? "resume" : "promote")", to: .error)
        } else {
            console.print("release \(release.number) is under way; see it to its end with: escale kube resume", to: .error)
        }
        return true
    }
}

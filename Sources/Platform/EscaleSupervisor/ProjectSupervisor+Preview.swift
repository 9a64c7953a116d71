import EscaleAPI
import EscaleCore
import EscalePlan
import EscaleRelease
import EscaleSystem

/// What a command would do (`--dry-run`).
extension ProjectSupervisor {
    /// Tells every step that would lead to the draft, with its reason. Changes nothing.
    func preview(
        _ draft: ProjectRecord, orphans: [String], _ observer: @escaping @Sendable (ProgressEvent) -> Void
    ) throws -> UpResult {
        let (next, made) = planRelease(draft, trigger: "up", strategy: nil, isRollback: false)
        let steps = EscalePlan.preview(desired: next.desired, observed: observed, now: now)
        if let made, made.isProtected {
            for change in made.release.changes {
                observer(
                    ProgressEvent(
                        "Release \(made.number)", .done, "Would begin", reason: "\(change.service): \(change.kind.rawValue)",
                        at: .now))
            }
        }
        for (index, step) in steps.enumerated() {
            // Each a subject of its own: one replica may be stopped, removed and made again.
            observer(
                ProgressEvent(
                    "\(index + 1). \(subject(step))", .done, "Would \(step.verb)", reason: step.reason.description, at: .now))
        }
        if steps.isEmpty { observer(ProgressEvent("Project \(name)", .done, "Up to date", at: .now)) }
        return UpResult(changed: !steps.isEmpty, orphans: orphans)
    }
}

extension Step {
    fileprivate var verb: String {
        switch action {
        case .createNetwork, .createVolume, .create: "create"
        case .start: "start"
        case .drain: "drain"
        case .undrain: "give traffic again"
        case .stop: "stop"
        case .remove, .removeNetwork, .removeVolume: "remove"
        }
    }
}

package import EscaleAPI
package import EscaleCore

/// A release as lines that are never taken back: one whenever its state, or a service's step or weights, change.
package struct ReleaseLines {
    private var state: ReleaseSummary.State?
    private var steps: [ServiceName: String] = [:]

    package init() {}

    /// The lines for what is different from the last time.
    package mutating func lines(for release: ReleaseDetail, now: Timestamp) -> [String] {
        let offset = "+" + Elapsed.text(now - release.summary.createdAt)
        let lead = String(repeating: " ", count: max(0, 7 - offset.count)) + offset + "  "
        var lines: [String] = []
        if state != release.summary.state {
            let summary = release.summary
            let reason = summary.reason.map { ": \(DisplayWidth.plain($0))" } ?? ""
            lines.append(lead + "release \(summary.number) \(summary.state.text)\(reason)")
        }
        state = release.summary.state
        for change in release.changes {
            let step = "\(change.stepText), traffic \(change.weightText)"
            if steps.updateValue(step, forKey: change.service) == step { continue }
            let waits = change.waitsFor.map { ", waits for \(DisplayWidth.plain($0))" } ?? ""
            lines.append(lead + "\(change.service) \(step), ready \(change.readyText)\(waits)")
        }
        return lines
    }
}

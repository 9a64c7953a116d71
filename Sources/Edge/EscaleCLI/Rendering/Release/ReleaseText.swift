import EscaleAPI
import EscaleCore

extension ReleaseSummary.State {
    /// As people read it: `rolled back`.
    var text: String { rawValue.replacing("-", with: " ") }

    /// The text in the colour of how good it is.
    func painted(_ style: Style) -> String {
        switch self {
        case .running, .superseded: text
        case .succeeded: style.green(text)
        case .paused, .rollingBack: style.yellow(text)
        case .rolledBack, .failed: style.red(text)
        }
    }
}

extension ReleaseSummary {
    /// What people may do about it; `nil` where there is nothing to do.
    var nextStep: String? {
        switch state {
        case .running: "watch it with `escale release watch`, undo it with `escale release abort`"
        case .paused: "go on with `escale release promote`, or back with `escale release abort`"
        case .rollingBack: "watch it with `escale release watch`"
        case .rolledBack: "the version before has the traffic; mend the new one and run `escale up -d` again"
        case .failed: "go back with `escale rollback`, or mend it and run `escale up -d` again"
        case .succeeded, .superseded: nil
        }
    }

    /// How long it took, or takes until now.
    func elapsed(now: Timestamp) -> String { Elapsed.text((finishedAt ?? now) - createdAt) }
}

extension ReleaseDetail.Change {
    /// The generations: `6 → 7`, `– → 1` for an added service.
    var versionText: String { arrow(old.map { String($0.generation) }, new.map { String($0.generation) }) }

    /// The images' short IDs; one where both are the same.
    var imageText: String {
        arrow(old.map { ImageText.short($0.image) }, new.map { ImageText.short($0.image) })
    }

    /// Replicas that are ready of those wanted: `3/3 → 1/1`.
    var readyText: String { arrow(old?.readyText, new?.readyText, joinsSame: false) }

    /// Percent of the traffic: `90 → 10 %`.
    var weightText: String { arrow(old.map { String($0.weight) }, new.map { String($0.weight) }) + " %" }

    /// `canary, 10 %`
    var stepText: String { "\(kind), \(step)" }

    private func arrow(_ old: String?, _ new: String?, joinsSame: Bool = true) -> String {
        if joinsSame, let old, old == new { return old }
        return "\(old ?? "–") → \(new ?? "–")"
    }
}

extension ReleaseDetail.Version {
    /// `2/3`
    var readyText: String { "\(ready)/\(wanted)" }
}

extension TrafficFigures {
    /// Requests a second: `120.5`.
    var rateText: String { Self.decimal(requestsPerSecond) }

    /// `3 (0.1 %)`, or `0`.
    var errorText: String {
        errors == 0 || requests == 0
            ? String(errors) : "\(errors) (\(Self.decimal(100 * Double(errors) / Double(requests))) %)"
    }

    /// `12 ms`, `1.3 s`, `–` where nothing was answered.
    var p95Text: String {
        guard let p95 else { return "–" }
        let milliseconds = p95.seconds * 1000
        if milliseconds < 10 { return Self.decimal(milliseconds) + " ms" }
        return milliseconds < 1000
            ? "\(Int(milliseconds.rounded())) ms" : Self.decimal(milliseconds / 1000) + " s"
    }

    /// With one digit after the point.
    private static func decimal(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        let tenths = Int64((min(max(value, 0), 1e15) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

/// The record of a release's decisions as lines.
struct DecisionLines {
    let startedAt: Timestamp
    let style: Style
    /// The columns of the services' names.
    let nameColumns: Int

    init(_ release: ReleaseDetail, style: Style) {
        startedAt = release.summary.createdAt
        self.style = style
        nameColumns = release.decisions.compactMap(\.service).map { DisplayWidth.of($0.rawValue) }.max() ?? 0
    }

    /// `  +12.3s  web  weight 10 → 50 %`; no wider than that many columns, where given.
    func line(_ decision: ReleaseDecision, width: Int? = nil) -> String {
        let text = lead(decision) + DisplayWidth.plain(decision.text)
        return width.map { DisplayWidth.fit(text, $0) } ?? text
    }

    /// The evidence's last lines, at most so many; what isn't shown is counted.
    func evidence(_ decision: ReleaseDecision, limit: Int?, width: Int? = nil) -> [String] {
        guard let evidence = decision.evidence else { return [] }
        let indent = String(repeating: " ", count: DisplayWidth.of(lead(decision)))
        return ErrorText.tail(of: evidence, limit: limit).map { line in
            let text = "\(indent)│ \(line)"
            return style.dim(width.map { DisplayWidth.fit(text, $0) } ?? text)
        }
    }

    private func lead(_ decision: ReleaseDecision) -> String {
        let offset = "+" + Elapsed.text(decision.at - startedAt)
        let name = DisplayWidth.pad(decision.service?.rawValue ?? "", nameColumns)
        return String(repeating: " ", count: max(0, 9 - offset.count)) + offset + "  " + name
            + (nameColumns > 0 ? "  " : "")
    }
}

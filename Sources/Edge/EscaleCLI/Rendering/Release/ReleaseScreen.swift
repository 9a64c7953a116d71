package import EscaleAPI
package import EscaleCore

/// What `escale release show` prints: the state and why, what changes, and how it was decided.
package struct ReleaseScreen {
    /// How many decisions, and lines of evidence of each, are shown without `--no-trunc`.
    static let decisions = 20
    static let evidenceLines = 8

    private let release: ReleaseDetail
    /// Whether nothing is cut.
    private let whole: Bool
    private let now: Timestamp
    private let style: Style

    package init(_ release: ReleaseDetail, whole: Bool, now: Timestamp, style: Style) {
        self.release = release
        self.whole = whole
        self.now = now
        self.style = style
    }

    package func text() -> String { header + changes + waits + record }

    private var header: String {
        let summary = release.summary
        let current = summary.isCurrent ? ", current" : ""
        let began = summary.createdAt.description.prefix(19) + "Z"
        let rows: [(String, String?)] = [
            ("Why", summary.reason.map(DisplayWidth.plain)),
            ("Trigger", summary.trigger),
            ("Began", "\(began), \((now - summary.createdAt).spokenText) ago"),
            (summary.finishedAt == nil ? "Runs" : "Took", summary.elapsed(now: now)),
            ("Next", summary.nextStep),
        ]
        let lines = rows.compactMap { name, value in
            value.map { DisplayWidth.pad("\(name):", 10) + $0 + "\n" }
        }
        return style.bold("Release \(summary.number)") + ": " + summary.state.painted(style) + current + "\n"
            + lines.joined()
    }

    private var changes: String {
        guard !release.changes.isEmpty else { return "" }
        var table = Table("SERVICE", "KIND", "STEP", "RELEASE", "IMAGE", "READY", "TRAFFIC")
        for change in release.changes {
            table.add(
                change.service.rawValue,
                change.kind,
                change.step,
                change.versionText,
                change.imageText,
                change.readyText,
                change.weightText
            )
        }
        return "\n" + table.rendered()
    }

    private var waits: String {
        let lines = release.changes.compactMap { change in
            change.waitsFor.map { "\(change.service) waits for \(DisplayWidth.plain($0))\n" }
        }
        return lines.isEmpty ? "" : "\n" + lines.joined()
    }

    private var record: String {
        guard !release.decisions.isEmpty else { return "" }
        let shown = whole ? release.decisions : release.decisions.suffix(Self.decisions)
        let layout = DecisionLines(release, style: style)
        let hidden = release.decisions.count - shown.count
        var lines = hidden > 0 ? ["  … \(hidden) earlier, see them with --no-trunc"] : []
        for decision in shown {
            lines.append(layout.line(decision))
            lines += layout.evidence(decision, limit: whole ? nil : Self.evidenceLines)
        }
        return "\nDecisions:\n" + lines.map { $0 + "\n" }.joined()
    }
}

package import EscaleAPI
package import EscaleCore

/// One frame of `escale release watch`: the state, both versions of each changed service, the latest decisions.
package struct ReleaseFrame {
    /// How many decisions are shown at most.
    static let decisions = 6
    /// How many lines of the evidence on which a release failed stay on the screen.
    static let evidenceLines = 10
    /// Up to so many replicas have a mark each.
    static let marks = 10

    private let release: ReleaseDetail
    private let now: Timestamp
    private let style: Style

    package init(_ release: ReleaseDetail, now: Timestamp, style: Style) {
        self.release = release
        self.now = now
        self.style = style
    }

    /// The lines to draw; none is wider than the terminal.
    ///
    /// - Parameter height: how many lines there may be; `nil` for all of them, as at the end.
    package func render(width: Int, height: Int?) -> [String] {
        let header = header(width)
        let limit = height ?? Int.max
        var lines = header + services(width, limit: limit == Int.max ? limit : limit - header.count)
        let room = min(Self.decisions, limit == Int.max ? limit : limit - lines.count - 1)
        if room > 0 && !release.decisions.isEmpty {
            let layout = DecisionLines(release, style: style)
            lines += [""] + release.decisions.suffix(room).map { layout.line($0, width: width) }
            if height == nil { lines += failure(layout, width) }
        }
        return Array(lines.prefix(limit))
    }

    private func header(_ width: Int) -> [String] {
        let summary = release.summary
        let text = "Release \(summary.number)  \(summary.state.text)  \(summary.elapsed(now: now))"
        guard DisplayWidth.of(text) <= width else { return [DisplayWidth.fit(text, width)] }
        let line =
            style.bold("Release \(summary.number)") + "  " + summary.state.painted(style) + "  "
            + style.blue(summary.elapsed(now: now))
        let reason = summary.reason.map { DisplayWidth.fit(DisplayWidth.plain($0), width) }
        return [line] + (reason.map { [$0] } ?? [])
    }

    /// The changed services, those that are not done first where there is no room for all.
    private func services(_ width: Int, limit: Int) -> [String] {
        let table = VersionTable(release.changes)
        var blocks = release.changes.map { change in
            (isDone: change.waitsFor == nil, lines: block(change, table, width))
        }
        if blocks.reduce(0, { $0 + $1.lines.count }) + 1 > limit {
            blocks = blocks.filter { !$0.isDone } + blocks.filter(\.isDone)
        }
        var lines = release.changes.isEmpty ? [] : [style.dim(DisplayWidth.fit(table.heading, width))]
        for (index, block) in blocks.enumerated() {
            // The last line that there is room for tells how many are missing.
            let isLast = index == blocks.count - 1
            if lines.count + block.lines.count + (isLast ? 0 : 1) > limit {
                return lines + [DisplayWidth.fit(" … \(blocks.count - index) more services", width)]
            }
            lines += block.lines
        }
        return lines
    }

    private func block(_ change: ReleaseDetail.Change, _ table: VersionTable, _ width: Int) -> [String] {
        let waits = change.waitsFor.map { "  waits for \(DisplayWidth.plain($0))" } ?? ""
        let title = DisplayWidth.fit("\(change.service)  \(change.stepText)\(waits)", width)
        let name = change.service.rawValue
        let painted = title.hasPrefix(name) ? style.bold(name) + title.dropFirst(name.count) : title
        return [painted] + table.rows(of: change).map { DisplayWidth.fit($0, width) }
    }

    /// What the release was undone for, when it is over.
    private func failure(_ layout: DecisionLines, _ width: Int) -> [String] {
        switch release.summary.state {
        case .succeeded, .superseded, .running, .paused, .rollingBack: return []
        case .failed, .rolledBack:
            guard let last = release.decisions.last(where: { $0.evidence != nil }) else { return [] }
            return layout.evidence(last, limit: Self.evidenceLines, width: width)
        }
    }
}

/// The versions of all changes in columns of the same width.
private struct VersionTable {
    private static let headings = ["", "READY", "TRAFFIC", "REQ/S", "ERRORS", "P95"]
    private let widths: [Int]

    init(_ changes: [ReleaseDetail.Change]) {
        let all = [Self.headings] + changes.flatMap(Self.cells)
        widths = Self.headings.indices.map { column in all.map { DisplayWidth.of($0[column]) }.max() ?? 0 }
    }

    var heading: String { line(Self.headings) }

    func rows(of change: ReleaseDetail.Change) -> [String] { Self.cells(change).map(line) }

    private func line(_ cells: [String]) -> String {
        let padded = cells.enumerated().map { DisplayWidth.pad($0.element, widths[$0.offset]) }
        var text = "  " + padded.joined(separator: "  ")
        while text.last == " " { text.removeLast() }
        return text
    }

    private static func cells(_ change: ReleaseDetail.Change) -> [[String]] {
        [("old", change.old), ("new", change.new)].compactMap { name, version in
            version.map { cells("\(name) \($0.generation)", $0) }
        }
    }

    private static func cells(_ name: String, _ version: ReleaseDetail.Version) -> [String] {
        let figures = version.figures
        return [
            name, marks(version) + version.readyText, "\(version.weight) %", figures?.rateText ?? "–",
            figures?.errorText ?? "–", figures?.p95Text ?? "–",
        ]
    }

    /// A mark per replica: ready, running, missing; none where there are too many.
    private static func marks(_ version: ReleaseDetail.Version) -> String {
        let running = max(0, version.running - version.ready)
        let missing = max(0, version.wanted - version.ready - running)
        guard (1...ReleaseFrame.marks).contains(version.ready + running + missing) else { return "" }
        return String(repeating: "●", count: version.ready) + String(repeating: "◐", count: running)
            + String(repeating: "○", count: missing) + " "
    }
}

package import EscaleAPI
package import EscaleCore

/// What a terminal shows of running work: one line per subject, changed in place. A value; draws nothing itself.
package struct ProgressBoard {
    private struct Line {
        let subject: String
        let isBuildStep: Bool
        let startedAt: Timestamp
        var endedAt: Timestamp?
        var state: ProgressEvent.State
        var text = ""
        var reason: String?
        var amount: ProgressEvent.Amount?
        var output: [String] = []
    }

    /// How many lines of a running build step's output are shown.
    static let outputLines = 4

    private var lines: [Line] = []
    private var index: [String: Int] = [:]

    package init() {}

    package var isEmpty: Bool { lines.isEmpty }

    package mutating func apply(_ event: ProgressEvent) {
        let position = index[event.subject] ?? lines.count
        if position == lines.count {
            index[event.subject] = position
            lines.append(
                Line(
                    subject: event.subject,
                    isBuildStep: event.isBuildStep,
                    startedAt: event.at,
                    state: .working
                )
            )
        }
        switch event.state {
        case .output:
            lines[position].output.append(DisplayWidth.plain(event.text))
            if lines[position].output.count > Self.outputLines { lines[position].output.removeFirst() }
        case .working, .done, .failed, .warning:
            lines[position].state = event.state
            lines[position].text = DisplayWidth.plain(event.text)
            lines[position].reason = event.reason.map(DisplayWidth.plain)
            lines[position].amount = event.amount
            lines[position].endedAt = event.state == .working ? nil : event.at
        }
    }

    /// The lines to draw; none is wider than the terminal.
    ///
    /// - Parameter height: how many lines there may be; `nil` for all of them, as at the end.
    package func render(width: Int, height: Int?, now: Timestamp, style: Style) -> [String] {
        guard !lines.isEmpty else { return [] }
        let done = lines.count { $0.state != .working }
        var result = [DisplayWidth.fit("[+] Running \(done)/\(lines.count)", width)]
        let limit = height.map { max(1, $0 - 1) } ?? Int.max
        let shown = visible(limit)
        let layout = Layout(shown, width: width)
        for line in shown { result.append(layout.draw(line, now: now, style: style)) }
        let hidden = lines.count - shown.count
        if hidden > 0 && result.count <= limit { result.append(DisplayWidth.fit(" … \(hidden) more", width)) }
        if height != nil {
            insertOutput(of: shown, into: &result, limit: limit + 1, width: width, style: style)
        }
        return result
    }

    /// What matters most where there is no room for all: failed, then running, then the latest; in their order.
    private func visible(_ limit: Int) -> [Line] {
        guard lines.count > limit else { return lines }
        func rank(_ line: Line) -> Int {
            switch line.state {
            case .failed: 0
            case .working, .output: 1
            case .warning: 2
            case .done: 3
            }
        }
        let ranked = lines.enumerated().sorted {
            (rank($0.element), -$0.offset) < (rank($1.element), -$1.offset)
        }
        return ranked.prefix(max(1, limit - 1)).sorted { $0.offset < $1.offset }.map(\.element)
    }

    /// Puts the latest output under each running build step, as long as there is room.
    private func insertOutput(
        of shown: [Line],
        into result: inout [String],
        limit: Int,
        width: Int,
        style: Style
    ) {
        var position = 1
        for line in shown {
            position += 1
            guard line.state == .working else { continue }
            for text in line.output.suffix(max(0, limit - result.count)) {
                result.insert(style.dim(DisplayWidth.fit("   │ " + text, width)), at: position)
                position += 1
            }
        }
    }

    /// The columns of one frame.
    private struct Layout {
        static let spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]
        static let elapsedColumns = 7

        let width: Int
        let subjectColumns: Int
        let textColumns: Int

        init(_ lines: [Line], width: Int) {
            self.width = width
            textColumns = lines.map { DisplayWidth.of($0.text) }.max() ?? 0
            let widest = lines.map { DisplayWidth.of($0.subject) }.max() ?? 0
            // The state matters more than the end of a long name.
            subjectColumns = min(widest, max(10, width - 3 - 2 - textColumns - Self.elapsedColumns))
        }

        func draw(_ line: Line, now: Timestamp, style: Style) -> String {
            let elapsed = Elapsed.text((line.endedAt ?? now) - line.startedAt)
            let subject = DisplayWidth.pad(DisplayWidth.fit(line.subject, subjectColumns), subjectColumns)
            let text = DisplayWidth.pad(line.text, textColumns)
            let time = String(repeating: " ", count: max(1, Self.elapsedColumns - elapsed.count)) + elapsed
            var room = width
            func take(_ part: String) -> String {
                let fitted = DisplayWidth.fit(part, room)
                room -= DisplayWidth.of(fitted)
                return fitted
            }
            let (mark, paint) = appearance(of: line, now: now, style: style)
            let state =
                paint(take(" \(mark) ")) + take(subject + "  ") + paint(take(text)) + style.blue(take(time))
            // A reason of a few letters says nothing.
            let rest = line.amount.map { bar($0, room: room - 2) } ?? line.reason
            return state + (room < 10 ? "" : style.dim(take(rest.map { "  \($0)" } ?? "")))
        }

        /// `[====>    ] 12.5MB/45MB`, without the bar where there is no room for it.
        private func bar(_ amount: ProgressEvent.Amount, room: Int) -> String {
            let figures = "\(ByteCount(amount.done))/\(ByteCount(amount.total))"
            let columns = min(30, room - figures.count - 3)
            guard columns >= 5 else { return figures }
            let done = amount.total > 0 ? Int(Double(amount.done) / Double(amount.total) * Double(columns)) : 0
            let filled = min(max(done, 0), columns)
            let head = filled < columns ? ">" : ""
            let bar = String(repeating: "=", count: filled) + head
            return "[\(bar)\(String(repeating: " ", count: max(0, columns - bar.count)))] \(figures)"
        }

        private func appearance(of line: Line, now: Timestamp, style: Style) -> (String, (String) -> String) {
            switch line.state {
            case .working, .output:
                let phase = Int((now - line.startedAt).nanoseconds / 100_000_000) % Self.spinner.count
                return (Self.spinner[max(0, phase)], { $0 })
            case .done: return ("✔", style.green)
            case .failed: return ("✘", style.red)
            case .warning: return ("!", style.yellow)
            }
        }
    }
}

/// How long something took, as progress shows it.
enum Elapsed {
    /// `0.3s`, `12.0s`, `2m05s`, `1h02m`
    static func text(_ duration: Duration) -> String {
        let tenths = max(0, duration.nanoseconds) / 100_000_000
        if tenths < 600 { return "\(tenths / 10).\(tenths % 10)s" }
        let seconds = tenths / 10
        func two(_ number: Int64) -> String { (number < 10 ? "0" : "") + String(number) }
        if seconds < 3600 { return "\(seconds / 60)m\(two(seconds % 60))s" }
        return "\(seconds / 3600)h\(two(seconds / 60 % 60))m"
    }
}

package import EscaleAPI
import EscaleCore

/// Progress as lines that are never taken back: for logs and pipes. Build steps read like Docker's plain output.
package struct PlainProgress {
    private struct Step {
        let number: Int
        let startedAt: Timestamp
    }

    private var steps: [String: Step] = [:]
    private var last: [String: String] = [:]

    package init() {}

    /// The lines for one event; none where nothing visible changed.
    package mutating func lines(for event: ProgressEvent) -> [String] {
        if let name = BuildStepName(event.subject) { return buildLines(event, name) }
        if event.state == .output { return [" \(event.subject) | \(event.text)"] }
        let line = " \(event.subject)  \(event.text)" + (event.reason.map { " (\($0))" } ?? "")
        // A subject that is waited for may report the same again and again.
        if last.updateValue(line, forKey: event.subject) == line { return [] }
        return [line]
    }

    private mutating func buildLines(_ event: ProgressEvent, _ name: BuildStepName) -> [String] {
        var lines: [String] = []
        let step: Step
        if let known = steps[event.subject] {
            step = known
        } else {
            step = Step(number: steps.count + 1, startedAt: event.at)
            steps[event.subject] = step
            lines.append("#\(step.number) [\(name.place)] \(name.instruction)")
        }
        let elapsed = Elapsed.text(event.at - step.startedAt)
        switch event.state {
        case .working: break
        case .output: lines.append("#\(step.number) \(elapsed.dropLast()) \(event.text)")
        case .done:
            lines.append(
                "#\(step.number) " + (event.text.lowercased() == "cached" ? "CACHED" : "DONE \(elapsed)")
            )
        case .failed: lines.append("#\(step.number) ERROR: \(event.reason ?? event.text)")
        case .warning: lines.append("#\(step.number) WARNING: \(event.reason ?? event.text)")
        }
        return lines
    }
}

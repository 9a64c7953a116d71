package import EscaleCore

/// How errors with much evidence become readable: one screen, what comes last kept.
enum ErrorText {
    /// A text's lines freed of control sequences, at most so many of its last; what isn't shown is counted.
    static func tail(of text: String, limit: Int?) -> [String] {
        var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map {
            DisplayWidth.plain(String($0))
        }
        while lines.last?.isEmpty == true { lines.removeLast() }
        guard let limit, lines.count > limit else { return lines }
        let kept = max(1, limit - 1)
        return ["… \(lines.count - kept) lines before"] + lines.suffix(kept)
    }
}

extension EscaleError {
    /// The same as it is shown: what follows a first line is indented under it, and evidence that a terminal of
    /// `rows` has no room for loses its beginning; nothing is cut for `nil`.
    package func laidOut(rows: Int?) -> EscaleError {
        let sentence = ErrorText.tail(of: message, limit: nil)
        let hintLines = hint.map { ErrorText.tail(of: $0, limit: nil) } ?? []
        let story = sentence.dropFirst().joined(separator: "\n")
        let texts = (story.isEmpty ? [] : [story]) + details.map(\.text)
        let heights = texts.map { ErrorText.tail(of: $0, limit: nil).count }
        // The prompt, the first line, the labels and the hint take their rows first.
        let room = rows.map { $0 - 2 - details.count - hintLines.count }
        let share = room.flatMap { room in
            heights.reduce(0, +) > room ? max(3, room / max(1, texts.count)) : nil
        }
        let rest = story.isEmpty ? [] : ErrorText.tail(of: story, limit: share).map { "  \($0)" }
        return EscaleError(
            code,
            ((sentence.first.map { [$0] } ?? []) + rest).joined(separator: "\n"),
            hint: hint.map { _ in hintLines.joined(separator: "\n      ") },
            details: details.map {
                Detail($0.label, ErrorText.tail(of: $0.text, limit: share).joined(separator: "\n"))
            },
            diagnostics: diagnostics
        )
    }
}

/// Draws frames over each other on a terminal. A value that knows what it drew last; writes nothing itself.
package struct TerminalCanvas {
    private var widths: [Int] = []

    package init() {}

    static let hideCursor = "\u{1B}[?25l"
    static let showCursor = "\u{1B}[?25h"

    /// What to write so that these lines stand where the last frame was.
    ///
    /// - Parameter width: the terminal's now; where it shrank, the old lines take more rows than they did.
    package mutating func replace(with lines: [String], width: Int) -> String {
        let rows = widths.reduce(0) { $0 + max(1, ($1 + width - 1) / max(1, width)) }
        widths = lines.map { DisplayWidth.of(DisplayWidth.plain($0)) }
        let up = rows > 0 ? "\u{1B}[\(rows)A" : ""
        return up + "\r\u{1B}[J" + lines.map { $0 + "\n" }.joined()
    }
}

import Synchronization

/// Cuts a command's output into lines and keeps the last of them.
package final class OutputLines: Sendable {
    private struct State {
        var rest: [UInt8] = []
        var last: [String] = []
    }

    private let state = Mutex(State())
    private let report: @Sendable (String) async -> Void

    /// - Parameter report: sees each line, without its line break.
    package init(_ report: @escaping @Sendable (String) async -> Void) { self.report = report }

    /// Takes the next piece. To be called for one piece after the other.
    package func take(_ bytes: [UInt8]) async {
        let lines = state.withLock { state -> [String] in
            state.rest += bytes
            var pieces = state.rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            state.rest = Array(pieces.popLast() ?? [])
            // A line without an end, such as a progress bar, must not grow for ever.
            if state.rest.count > 1 << 16 {
                pieces.append(state.rest[...])
                state.rest = []
            }
            let lines = pieces.map(Self.text)
            state.last = (state.last + lines).suffix(50)
            return lines
        }
        for line in lines { await report(line) }
    }

    /// Reports what is left where the last line has no line break.
    package func finish() async {
        if state.withLock({ !$0.rest.isEmpty }) { await take([UInt8(ascii: "\n")]) }
    }

    /// The last lines, fifty at most.
    package func tail(_ count: Int) -> String {
        state.withLock { $0.last.suffix(count).joined(separator: "\n") }
    }

    /// Of a line that was overwritten by carriage returns only the last version.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let line = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
        let start = line.lastIndex(of: UInt8(ascii: "\r")).map { $0 + 1 } ?? line.startIndex
        return String(decoding: line[start...], as: UTF8.self)
    }
}

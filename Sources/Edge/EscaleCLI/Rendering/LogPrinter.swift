package import EscaleAPI
package import EscaleCore
import Synchronization

/// How lines of output look.
package struct LogStyle: Hashable, Sendable {
    package var prefix = true
    package var timestamps = false
    package var colours = false

    package init(prefix: Bool = true, timestamps: Bool = false, colours: Bool = false) {
        self.prefix = prefix
        self.timestamps = timestamps
        self.colours = colours
    }
}

/// Prints containers' output with their names before it, each in a colour of its own. Called from any task.
///
/// Both of a container's streams go to standard output, in the order of their lines.
package final class LogPrinter: Sendable {
    private struct State {
        var width: Int
        var colours: [String: Int] = [:]
        /// Whose line the cursor is in, since only a part of it has come.
        var unfinished: Writer?
    }

    private struct Writer: Hashable {
        let container: String
        let stream: LogRecord.Stream
    }

    private let console: Console
    private let project: ProjectName
    private let logStyle: LogStyle
    private let style: Style
    private let state: Mutex<State>

    /// - Parameter expected: names of containers that will come, for the first lines' alignment.
    package init(_ project: ProjectName, console: Console, style: LogStyle, expected: [String] = []) {
        self.console = console
        self.project = project
        logStyle = style
        self.style = Style(colours: style.colours)
        state = Mutex(State(width: expected.map { DisplayWidth.of($0) }.max() ?? 0))
        for name in expected { _ = prefix(for: name) }
    }

    /// Prints what was written, byte by byte; a part of a very long line without a line break.
    package func print(_ record: LogRecord) {
        if record.isNotice == true {
            console.print("\(style.yellow("warning:")) \(shortName(record.container)): \(record.line)", to: .error)
            return
        }
        let writer = Writer(container: record.container, stream: record.stream)
        let unfinished = state.withLock { state in
            defer { state.unfinished = record.goesOn == true ? writer : nil }
            return state.unfinished
        }
        var bytes: [UInt8] = []
        if unfinished != writer {
            if unfinished != nil { bytes.append(UInt8(ascii: "\n")) }
            bytes += prefix(for: shortName(record.container)).utf8
            if logStyle.timestamps { bytes += "\(record.at) ".utf8 }
        }
        bytes += record.bytes
        if record.goesOn != true { bytes.append(UInt8(ascii: "\n")) }
        console.write(bytes)
    }

    /// Says something about a container where its output is: `web-1 exited with code 3`.
    package func note(_ container: String, _ text: String) {
        console.print("\(shortName(container)) \(text)")
    }

    /// The name without the project's: `web-1`.
    private func shortName(_ container: String) -> String {
        container.hasPrefix("\(project)-")
            ? String(container.dropFirst(project.rawValue.count + 1)) : container
    }

    private func prefix(for name: String) -> String {
        guard logStyle.prefix else { return "" }
        let (width, colour) = state.withLock { state in
            state.width = max(state.width, DisplayWidth.of(name))
            let colour = state.colours[name] ?? state.colours.count
            state.colours[name] = colour
            return (state.width, colour)
        }
        return style.distinct(DisplayWidth.pad(name, width) + "  | ", colour)
    }
}

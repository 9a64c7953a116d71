package import EscaleAPI
import EscaleCore
import EscaleSystem
import Synchronization

/// Shows events as `--progress` says, to standard error. Called from any task.
package final class ProgressReporter: Sendable {
    private enum Display {
        case terminal(ProgressBoard, TerminalCanvas)
        case plain(PlainProgress)
        case json
        case quiet
    }

    private let console: Console
    private let style: Style
    private let display: Mutex<Display>
    /// Whether frames must be drawn as time goes by.
    let isAnimated: Bool

    package init(_ mode: GlobalOptions.ProgressMode, console: Console) {
        self.console = console
        style = Style(console.error)
        let first: Display =
            switch mode {
            case .auto:
                console.error.isTerminal
                    ? .terminal(ProgressBoard(), TerminalCanvas()) : .plain(PlainProgress())
            case .tty: .terminal(ProgressBoard(), TerminalCanvas())
            case .plain: .plain(PlainProgress())
            case .json: .json
            case .quiet: .quiet
            }
        if case .terminal = first { isAnimated = true } else { isAnimated = false }
        display = Mutex(first)
    }

    package func report(_ event: ProgressEvent) {
        display.withLock { display in
            switch display {
            case .terminal(var board, let canvas):
                board.apply(event)
                display = .terminal(board, canvas)
            case .plain(var plain):
                for line in plain.lines(for: event) { console.print(line, to: .error) }
                display = .plain(plain)
            case .json:
                // An event that can't be encoded would be a fault here, and no reason to stop the work.
                if let line = try? JSONText.line(event) { console.write(line, to: .error) }
            case .quiet: break
            }
        }
    }

    /// Draws the current frame; on a terminal only.
    func draw() {
        display.withLock { display in
            guard case .terminal(let board, var canvas) = display, !board.isEmpty else { return }
            let size = console.size
            let lines = board.render(width: size.columns - 1, height: size.rows - 1, now: .now, style: style)
            console.write(
                TerminalCanvas.hideCursor + canvas.replace(with: lines, width: size.columns),
                to: .error
            )
            display = .terminal(board, canvas)
        }
    }

    /// Draws the last frame, whole, and gives the cursor back.
    func finish() {
        display.withLock { display in
            guard case .terminal(let board, var canvas) = display, !board.isEmpty else { return }
            let size = console.size
            let lines = board.render(width: size.columns - 1, height: nil, now: .now, style: style)
            console.write(
                canvas.replace(with: lines, width: size.columns) + TerminalCanvas.showCursor,
                to: .error
            )
            // A frame that was due meanwhile must not hide the cursor again.
            display = .quiet
        }
    }
}

extension Session {
    /// Runs work that reports progress, and shows it meanwhile.
    func withProgress<Value>(
        _ mode: GlobalOptions.ProgressMode? = nil,
        _ body: (@escaping @Sendable (ProgressEvent) -> Void) async throws -> Value
    ) async throws -> Value {
        let reporter = ProgressReporter(mode ?? globals.progress, console: console)
        let animation =
            reporter.isAnimated
            ? Task {
                while !Task.isCancelled {
                    reporter.draw()
                    try await Task.sleep(for: .milliseconds(100))
                }
            } : nil
        defer {
            animation?.cancel()
            reporter.finish()
        }
        return try await body { reporter.report($0) }
    }
}

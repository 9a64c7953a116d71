package import EscaleAPI
import EscaleCore
import EscaleSystem
import Synchronization

/// Shows events as `--progress` says, to standard error. Called from any task.
package final class ProgressReporter: Sendable {
    private enum Display {
        case terminal(ProgressBoard, LiveScreen)
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
                    ? .terminal(ProgressBoard(), LiveScreen(console, .error)) : .plain(PlainProgress())
            case .tty: .terminal(ProgressBoard(), LiveScreen(console, .error))
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
            case .terminal(var board, let screen):
                board.apply(event)
                display = .terminal(board, screen)
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
            guard case .terminal(let board, var screen) = display, !board.isEmpty else { return }
            let room = screen.room
            screen.draw(board.render(width: room.columns, height: room.rows, now: .now, style: style))
            display = .terminal(board, screen)
        }
    }

    /// Draws the last frame, whole, and gives the cursor back.
    func finish() {
        display.withLock { display in
            guard case .terminal(let board, var screen) = display, !board.isEmpty else { return }
            screen.finish(board.render(width: screen.room.columns, height: nil, now: .now, style: style))
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
        defer { reporter.finish() }
        return try await animated(reporter.isAnimated, draw: { reporter.draw() }) {
            try await body { reporter.report($0) }
        }
    }
}

import EscaleAPI
import EscaleCore
import EscaleSystem
import Synchronization

/// Shows a release as it changes, to standard output. Called from any task.
final class ReleaseDisplay: Sendable {
    private enum Form {
        case screen(LiveScreen, ReleaseDetail?)
        case lines(ReleaseLines)
        case json
        case yaml
        /// A frame that was due meanwhile must not hide the cursor again.
        case finished
    }

    private let console: Console
    private let style: Style
    private let form: Mutex<Form>
    /// Whether frames must be drawn as time goes by.
    let isAnimated: Bool

    /// Moves only on a terminal, and as `--progress` says.
    init(_ format: ListFormat, _ mode: GlobalOptions.ProgressMode, console: Console) {
        self.console = console
        style = Style(console.output)
        let moves =
            switch mode {
            case .auto: console.output.isTerminal
            case .tty: true
            case .plain, .json, .quiet: false
            }
        let first: Form =
            switch format {
            case .table where moves: .screen(LiveScreen(console, .output), nil)
            case .table: .lines(ReleaseLines())
            case .json: .json
            case .yaml: .yaml
            }
        if case .screen = first { isAnimated = true } else { isAnimated = false }
        form = Mutex(first)
    }

    func show(_ release: ReleaseDetail) throws {
        try form.withLock { form in
            switch form {
            case .screen(let screen, _): form = .screen(screen, release)
            case .lines(var lines):
                for line in lines.lines(for: release, now: .now) { console.print(line) }
                form = .lines(lines)
            case .json: console.write(try JSONText.line(PrintedRelease(release)))
            case .yaml: console.write(try YAMLText.item(PrintedRelease(release)))
            case .finished: break
            }
        }
    }

    /// Draws the current frame; on a terminal only.
    func draw() {
        form.withLock { form in
            guard case .screen(var screen, let release?) = form else { return }
            let room = screen.room
            let frame = ReleaseFrame(release, now: .now, style: style)
            screen.draw(frame.render(width: room.columns, height: room.rows))
            form = .screen(screen, release)
        }
    }

    /// Draws the last frame, whole, and gives the cursor back.
    func finish() {
        form.withLock { form in
            if case .screen(var screen, let release?) = form {
                let frame = ReleaseFrame(release, now: .now, style: style)
                screen.finish(frame.render(width: screen.room.columns, height: nil))
            }
            form = .finished
        }
    }
}

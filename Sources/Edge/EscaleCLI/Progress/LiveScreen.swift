/// A place on a terminal whose frames are drawn over each other, with the cursor hidden meanwhile.
struct LiveScreen {
    private let console: Console
    private let stream: Console.Stream
    private var canvas = TerminalCanvas()

    init(_ console: Console, _ stream: Console.Stream) {
        self.console = console
        self.stream = stream
    }

    /// What a frame has: a column and a row of the terminal stay free.
    var room: Console.Size {
        let size = console.size
        return Console.Size(columns: size.columns - 1, rows: size.rows - 1)
    }

    /// Draws a frame in the last one's place.
    mutating func draw(_ lines: [String]) {
        let text = canvas.replace(with: lines, width: console.size.columns)
        console.write(TerminalCanvas.hideCursor + text, to: stream)
    }

    /// Draws the frame that stays and gives the cursor back.
    mutating func finish(_ lines: [String]) {
        let text = canvas.replace(with: lines, width: console.size.columns)
        console.write(text + TerminalCanvas.showCursor, to: stream)
    }
}

extension Session {
    /// Draws ten times a second while the body runs.
    func animated<Value>(
        _ isAnimated: Bool,
        draw: @escaping @Sendable () -> Void,
        _ body: () async throws -> Value
    ) async rethrows -> Value {
        let animation =
            isAnimated
            ? Task {
                while !Task.isCancelled {
                    draw()
                    try await Task.sleep(for: .milliseconds(100))
                }
            } : nil
        defer { animation?.cancel() }
        return try await body()
    }
}

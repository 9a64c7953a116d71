import EscaleAPI
import EscaleCLI
import EscaleCore
import Testing

@Suite("Progress")
struct ProgressTests {
    private static func at(_ seconds: Double) -> Timestamp { Timestamp(nanoseconds: Int64(seconds * 1e9)) }

    private static func event(
        _ subject: String,
        _ state: ProgressEvent.State,
        _ text: String,
        _ seconds: Double,
        reason: String? = nil
    ) -> ProgressEvent {
        ProgressEvent(subject, state, text, reason: reason, at: at(seconds))
    }

    static let events = [
        event("Network shop_default", .working, "Creating", 0),
        event("Network shop_default", .done, "Created", 0.1),
        event("Container shop-db-1", .working, "Starting", 0.1),
        event("Container shop-db-1", .done, "Healthy", 1.3),
        event("Container shop-api-1", .working, "Waiting", 0.2, reason: "waits for db to be healthy"),
        event("Container shop-web-1", .failed, "Error", 2.0, reason: "exit code 3"),
    ]

    private func board(_ events: [ProgressEvent] = events) -> ProgressBoard {
        var board = ProgressBoard()
        for event in events { board.apply(event) }
        return board
    }

    private func render(_ board: ProgressBoard, width: Int, height: Int?, colours: Bool = false) -> String {
        board.render(width: width, height: height, now: Self.at(2.5), style: Style(colours: colours))
            .map { $0 + "\n" }.joined()
    }

    @Test("A terminal shows a line per subject with state, time and reason")
    func wide() {
        let expected = """
            [+] Running 3/4
             ✔ Network shop_default  Created   0.1s
             ✔ Container shop-db-1   Healthy   1.2s
             ⠸ Container shop-api-1  Waiting   2.3s  waits for db to be healthy
             ✘ Container shop-web-1  Error     0.0s  exit code 3

            """
        #expect(render(board(), width: 80, height: 20) == expected)
    }

    @Test("A narrow terminal cuts names before states, and no line is wider than it")
    func narrow() {
        let expected = """
            [+] Running 3/4
             ✔ Network shop…  Created   0.1s
             ✔ Container sh…  Healthy   1.2s
             ⠸ Container sh…  Waiting   2.3s
             ✘ Container sh…  Error     0.0s

            """
        #expect(render(board(), width: 32, height: 20) == expected)
        for width in 1...40 {
            for line in render(board(), width: width, height: 20).split(separator: "\n") {
                #expect(line.count <= width, "\(width): \(line)")
            }
        }
    }

    @Test("A low terminal keeps what failed and what runs")
    func low() {
        let many = (1...50).map {
            Self.event("Container shop-web-\($0)", $0 == 7 ? .working : .done, "Started", Double($0) / 100)
        }
        let lines = render(
            board(many + [Self.event("Container shop-db-1", .failed, "Error", 1)]),
            width: 80,
            height: 6
        )
        .split(separator: "\n")
        #expect(lines.count == 6)
        #expect(lines[0] == "[+] Running 50/51")
        #expect(lines.contains { $0.contains("shop-web-7 ") })
        #expect(lines.contains { $0.contains("shop-db-1") })
        #expect(lines.last == " … 47 more")
        #expect(render(board(many), width: 80, height: nil).split(separator: "\n").count == 51)
    }

    @Test("A running build step shows its latest output, a finished one doesn't")
    func build() {
        var board = board([Self.event("api 2/3 RUN make", .working, "Running", 0)])
        for line in 1...6 {
            board.apply(Self.event("api 2/3 RUN make", .output, "\u{1B}[31mline\u{1B}[0m \(line)\r", 0.5))
        }
        let expected = """
            [+] Running 0/1
             ⠴ api 2/3 RUN make  Running   2.5s
               │ line 3
               │ line 4
               │ line 5
               │ line 6

            """
        #expect(render(board, width: 60, height: 20) == expected)
        board.apply(Self.event("api 2/3 RUN make", .done, "Built", 1))
        #expect(
            render(board, width: 60, height: 20) == "[+] Running 1/1\n ✔ api 2/3 RUN make  Built   1.0s\n"
        )
    }

    @Test("Redrawing goes up by the rows that the last frame takes now")
    func redraw() {
        var canvas = TerminalCanvas()
        #expect(
            canvas.replace(with: ["[+] Running", "a line of thirty columns, yes!"], width: 40)
                == "\r\u{1B}[J[+] Running\na line of thirty columns, yes!\n"
        )
        #expect(canvas.replace(with: ["short"], width: 40) == "\u{1B}[2A\r\u{1B}[Jshort\n")
        _ = canvas.replace(with: ["a line of thirty columns, yes!"], width: 40)
        #expect(
            canvas.replace(with: [], width: 20) == "\u{1B}[2A\r\u{1B}[J",
            "it was wrapped when the terminal shrank"
        )
    }

    @Test("Plain progress is a line per change, build steps as Docker's")
    func plain() {
        var plain = PlainProgress()
        let events =
            Self.events + [
                Self.event(
                    "Container shop-api-1",
                    .working,
                    "Waiting",
                    0.9,
                    reason: "waits for db to be healthy"
                ),
                Self.event("api 1/2 FROM debian", .done, "Cached", 3),
                Self.event("api 2/2 RUN make", .working, "Running", 3),
                Self.event("api 2/2 RUN make", .output, "cc -c a.c", 3.4),
                Self.event("api 2/2 RUN make", .done, "Built", 4.2),
                Self.event("web 1/1 RUN false", .failed, "Failed", 5, reason: "exit code 1"),
            ]
        let expected = """
             Network shop_default  Creating
             Network shop_default  Created
             Container shop-db-1  Starting
             Container shop-db-1  Healthy
             Container shop-api-1  Waiting (waits for db to be healthy)
             Container shop-web-1  Error (exit code 3)
            #1 [api 1/2] FROM debian
            #1 CACHED
            #2 [api 2/2] RUN make
            #2 0.4 cc -c a.c
            #2 DONE 1.2s
            #3 [web 1/1] RUN false
            #3 ERROR: exit code 1
            """
        #expect(events.flatMap { plain.lines(for: $0) }.joined(separator: "\n") == expected)
    }

    @Test("The reporter writes to standard error, in the form that was asked for")
    func reporter() {
        let event = Self.event("Container shop-db-1", .done, "Started", 0)
        func written(_ mode: GlobalOptions.ProgressMode) -> String {
            let terminal = Terminal()
            ProgressReporter(mode, console: terminal.console).report(event)
            #expect(terminal.output.isEmpty)
            return terminal.error
        }
        #expect(written(.quiet).isEmpty)
        #expect(written(.auto) == " Container shop-db-1  Started\n")
        #expect(
            written(.json)
                == #"{"at":"1970-01-01T00:00:00.000000000Z","state":"done","subject":"Container shop-db-1","text":"Started"}"#
                + "\n"
        )
    }
}

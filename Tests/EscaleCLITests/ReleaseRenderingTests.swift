import EscaleAPI
import EscaleCLI
import EscaleCore
import EscaleTestExpectations
import Testing

@Suite("How releases look")
struct ReleaseRenderingTests {
    private static let rolledBack = ReleaseDetail.sample(
        .rolledBack,
        reason: "web: error rate 12.5 % is above the limit of 1 %"
    )

    private func screen(_ release: ReleaseDetail, whole: Bool = false) -> String {
        ReleaseScreen(release, whole: whole, now: .sample(300), style: Style(colours: false)).text()
    }

    private func frame(_ release: ReleaseDetail, width: Int = 100, height: Int?) -> String {
        ReleaseFrame(release, now: .sample(65), style: Style(colours: false))
            .render(width: width, height: height).map { $0 + "\n" }.joined()
    }

    @Test("show tells of a failed release the state, why, what changed, and the evidence, on one screen")
    func show() throws {
        let text = screen(Self.rolledBack)
        try expectGolden(text, "Tests/Golden/cli/release-show.txt")
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 26)
        #expect(!text.contains("\u{1B}"))
    }

    @Test("show --no-trunc cuts nothing")
    func whole() {
        let text = screen(Self.rolledBack, whole: true)
        #expect(text.contains("│ GET /cart 500 1\n"))
        #expect(!text.contains("lines before"))
    }

    @Test("show keeps the latest of many decisions, and says what it waits for")
    func long() {
        var release = ReleaseDetail.sample()
        release.decisions = (1...50).map { ReleaseDecision(at: .sample(Double($0)), text: "number \($0)") }
        let text = screen(release)
        #expect(text.contains("web waits for 50 requests, 12 so far\n"))
        #expect(text.contains("… 30 earlier"))
        #expect(text.hasSuffix("  +50.0s  number 50\n"))
    }

    @Test("watch shows both versions of each service with replicas, traffic and figures")
    func watch() throws {
        try expectGolden(
            frame(.sample(reason: "paused by hand"), height: 24),
            "Tests/Golden/cli/release-watch.txt"
        )
    }

    @Test("The last frame of a failed release keeps the evidence")
    func lastFrame() {
        let text = frame(Self.rolledBack, height: nil)
        #expect(text.hasPrefix("Release 7  rolled back  1m33s\n"))
        #expect(text.hasSuffix("│ GET /cart 500 12\n"))
    }

    @Test("No frame is wider or higher than the terminal")
    func small() {
        var release = Self.rolledBack
        release.changes += (1...20).map { number in
            .init(
                service: ServiceName(rawValue: "service-\(number)"),
                kind: "rolling",
                step: "waiting",
                new: .sample(7, "d", 0, of: 1, weight: 0)
            )
        }
        for height in 1...40 {
            for width in [1, 10, 40, 79] {
                let lines = frame(release, width: width, height: height).split(
                    separator: "\n",
                    omittingEmptySubsequences: false
                )
                #expect(lines.count - 1 <= height, "\(width)x\(height)")
                #expect(lines.allSatisfy { $0.count <= width }, "\(width)x\(height)")
            }
        }
        #expect(frame(release, height: 12).contains(" … "))
    }

    @Test("Lines come when the state, a step or a weight changes, and then only")
    func lines() {
        var lines = ReleaseLines()
        #expect(
            lines.lines(for: .sample(), now: .sample(12)) == [
                " +12.0s  release 7 running",
                " +12.0s  web canary, 10 %, traffic 90 → 10 %, ready 3/3 → 1/3, waits for 50 requests, 12 so far",
                " +12.0s  worker rolling, done, traffic 0 → 100 %, ready 0/0 → 12/12",
            ]
        )
        #expect(lines.lines(for: .sample(), now: .sample(13)).isEmpty)
        #expect(lines.lines(for: .sample(weight: 50), now: .sample(75)).count == 1)
        #expect(
            lines.lines(for: .sample(.rolledBack, weight: 50, reason: "p95 1.3 s"), now: .sample(93)) == [
                " +1m33s  release 7 rolled back: p95 1.3 s"
            ]
        )
    }

    @Test("An error of many lines is indented, and cut at its beginning where the screen is low")
    func errors() {
        let log = (1...100).map { "line \($0)\u{1B}[2J\r" }.joined(separator: "\n")
        let error = EscaleError(
            .init("release.failed"),
            "release 7 was rolled back\nlast probe: 503\n",
            hint: "see it with `escale release show 7`\nor its log",
            details: [.init("end of web-2's log", log)]
        )
        let low = error.laidOut(rows: 24).rendered()
        #expect(low.hasPrefix("error: release 7 was rolled back\n  last probe: 503\n  end of web-2's log:\n"))
        #expect(low.hasSuffix("    line 100\nhint: see it with `escale release show 7`\n      or its log\n"))
        #expect(low.split(separator: "\n").count < 24)
        #expect(!low.contains("\u{1B}"))
        let all = error.laidOut(rows: nil).rendered()
        #expect(all.contains("    line 1\n") && all.contains("    line 100\n"))
    }
}

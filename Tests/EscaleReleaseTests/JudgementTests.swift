import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease
import Testing

/// What an analysis makes of figures.
@Suite struct JudgementTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var limits: @Sendable (inout Analysis) -> Void
        var new = TrafficFigures(
            requests: 200, errors: 4, requestsPerSecond: 10, p50: .milliseconds(10), p95: .milliseconds(40),
            p99: .milliseconds(90))
        var old: TrafficFigures? = TrafficFigures(requests: 800, errors: 8, requestsPerSecond: 40, p95: .milliseconds(20))
        var checks: [ServiceView.Check] = []
        var verdict: Verdict
        var text: String

        var testDescription: String { name }
    }

    static let cases = [
        Case(
            name: "error rate within", limits: { $0.maxErrorRate = 0.02 }, verdict: .successful,
            text: "200 requests, error rate 2 % (limit 2 %)"),
        Case(
            name: "error rate above", limits: { $0.maxErrorRate = 0.019 }, verdict: .failed,
            text: "200 requests, error rate 2 % (limit 1.9 %)"),
        Case(
            name: "p50 within", limits: { $0.maxP50 = .milliseconds(10) }, verdict: .successful,
            text: "200 requests, p50 10ms (limit 10ms)"),
        Case(
            name: "p50 above", limits: { $0.maxP50 = .milliseconds(9) }, verdict: .failed,
            text: "200 requests, p50 10ms (limit 9ms)"),
        Case(
            name: "p95 above", limits: { $0.maxP95 = .milliseconds(39) }, verdict: .failed,
            text: "200 requests, p95 40ms (limit 39ms)"),
        Case(
            name: "p99 above", limits: { $0.maxP99 = .milliseconds(50) }, verdict: .failed,
            text: "200 requests, p99 90ms (limit 50ms)"),
        Case(
            name: "increase within", limits: { $0.maxErrorRateIncrease = 0.02 }, verdict: .successful,
            text: "200 requests, error rate 2 % against 1 % (limit +2 %)"),
        Case(
            name: "increase above", limits: { $0.maxErrorRateIncrease = 0.005 }, verdict: .failed,
            text: "200 requests, error rate 2 % against 1 % (limit +0.5 %)"),
        Case(
            name: "ratio within", limits: { $0.maxP95Ratio = 2 }, verdict: .successful,
            text: "200 requests, p95 40ms against 20ms (limit 2 times)"),
        Case(
            name: "ratio above", limits: { $0.maxP95Ratio = 1.5 }, verdict: .failed,
            text: "200 requests, p95 40ms against 20ms (limit 1.5 times)"),
        Case(
            name: "nothing to compare with", limits: { $0.maxP95Ratio = 1.5 }, old: nil, verdict: .successful,
            text: "200 requests"),
        Case(
            name: "too few requests", limits: {
                $0.maxErrorRate = 0
                $0.minRequests = 500
            }, verdict: .inconclusive, text: "200 requests, 500 are needed (`min_requests`)"),
        Case(
            name: "a check that fails beats everything", limits: {
                $0.maxErrorRate = 1
                $0.minRequests = 500
            }, checks: [.init(name: "command", verdict: .failed, text: "exit code 1")], verdict: .failed,
            text: "200 requests, command: exit code 1"),
        Case(
            name: "a check that doesn't work", limits: { $0.maxErrorRate = 1 },
            checks: [.init(name: "prometheus", verdict: .error, text: "connection refused")], verdict: .error,
            text: "prometheus: connection refused"),
        Case(
            name: "a broken limit beats a check that doesn't work", limits: { $0.maxErrorRate = 0 },
            checks: [.init(name: "prometheus", verdict: .error, text: "connection refused")], verdict: .failed,
            text: "200 requests, error rate 2 % (limit 0 %), prometheus: connection refused"),
        Case(
            name: "a check that can't tell", limits: { _ in },
            checks: [.init(name: "prometheus", verdict: .inconclusive, text: "no samples")], verdict: .inconclusive,
            text: "prometheus: no samples"),
        Case(
            name: "checks alone need no requests", limits: { $0.minRequests = 500 },
            checks: [.init(name: "command", verdict: .successful, text: "exit code 0")], verdict: .successful,
            text: "command: exit code 0"),
        Case(name: "no limits", limits: { _ in }, verdict: .successful, text: "nothing to judge by"),
    ]

    @Test(arguments: cases) func itSaysOnWhichFigures(_ item: Case) {
        var analysis = Analysis()
        item.limits(&analysis)
        var view = ServiceView(figures: [2: item.new], checks: item.checks)
        view.figures[1] = item.old
        let judgement = judge(analysis, view, new: 2, old: 1)
        #expect(judgement.verdict == item.verdict)
        #expect(judgement.text == item.text)
    }

    @Test func withoutAnyRequestNothingIsConcluded() {
        var analysis = Analysis()
        analysis.maxErrorRate = 0.01
        #expect(judge(analysis, ServiceView(), new: 2, old: 1).verdict == .inconclusive)
    }
}

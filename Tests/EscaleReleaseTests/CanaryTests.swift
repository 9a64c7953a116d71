import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease
import Testing

/// Traffic in steps, judged at each.
@Suite struct CanaryTests {
    private let good = (requests: 1000, errors: 1)

    private func story(
        _ analysis: Analysis? = analysis(), steps: [(Int, ReleaseSettings.CanaryStep.Pause)] = [(10, .lasting(.seconds(30)))]
    ) -> Story {
        let service = web { settings in
            settings.strategy = .canary
            settings.steps = steps.map { .init(weight: $0.0, pause: $0.1) }
            settings.analysis = analysis
        }
        return Story(service, .canary)
    }

    @Test func capacityIsThereBeforeEachWeight() {
        var story = story(nil, steps: [(10, .lasting(.seconds(30))), (60, .lasting(.seconds(60)))])
        #expect(story.asked() == "1/1 2/1 1/2 1/3 1/4")
        #expect(story.share == 0)
        story.becomeReady()
        #expect(story.share == 10)
        #expect(story.wakesIn == .seconds(30))
        story.look(after: 30)
        #expect(story.asked() == "1/1 2/1 1/2 2/2 1/3 2/3 1/4", "60 % need three of four")
        #expect(story.share == 10)
        story.becomeReady()
        #expect(story.share == 60)
        story.look(after: 60)
        story.becomeReady()
        #expect(story.share == 100)
        #expect(story.asked() == "1/1 2/1 1/2 2/2 1/3 2/3 1/4 2/4", "the old version is still complete")
        story.look(after: 5)
        #expect(story.asked() == "2/1 2/2 2/3 2/4")
        #expect(story.release.state == .succeeded)
    }

    @Test func aManualPauseWaitsForSomebody() throws {
        var story = story(nil, steps: [(10, .manual)])
        story.becomeReady()
        #expect(story.release.publicState == .paused)
        #expect(story.wake == nil)
        story.look(after: 3600)
        #expect(story.share == 10)
        try story.release.promote(now: story.now)
        story.look()
        story.becomeReady()
        #expect(story.share == 100)
    }

    @Test func aBrokenLimitGoesBackBeforeTheStepIsOver() {
        var story = story()
        story.becomeReady()
        story.traffic(200, errors: 10)
        #expect(story.wakesIn == .seconds(5))
        story.look(after: 5)
        #expect(story.release.state == .rolledBack)
        #expect(story.asked() == "1/1 1/2 1/3 1/4")
        #expect(story.release.reason == "web: analysis at 10 %: 200 requests, error rate 5 % (limit 1 %)")
    }

    @Test(arguments: [
        (Analysis.Inconclusive.pause, Release.State.paused(.undecided)), (.promote, .running), (.abort, .rolledBack),
    ])
    func tooFewRequestsAreDecidedAtTheEndOfTheStep(action: Analysis.Inconclusive, state: Release.State) {
        var story = story(analysis { $0.inconclusive = action })
        story.becomeReady()
        story.traffic(7, errors: 7)
        story.look(after: 25)
        #expect(story.release.state == .running)
        story.look(after: 5)
        #expect(story.release.state == state)
        if action != .promote {
            #expect(story.release.reason == "web: inconclusive analysis at 10 %: 7 requests, 50 are needed (`min_requests`)")
        }
    }

    @Test func anUndecidedStepIsHeldAgainOrEndedByHand() throws {
        var story = story()
        story.becomeReady()
        story.look(after: 30)
        #expect(story.release.state == .paused(.undecided))
        var promoted = story
        try story.release.resume(now: story.now)
        story.look()
        #expect(story.share == 10)
        #expect(story.change()?.windowStart == story.now, "with new figures")
        try promoted.release.promote(now: promoted.now)
        promoted.look()
        promoted.becomeReady()
        #expect(promoted.share == 100)
    }

    @Test func anAnalysisThatDoesNotWorkIsNoReasonToGoBack() {
        var story = story()
        story.becomeReady()
        story.traffic(good.requests, errors: good.errors)
        story.views["web"]?.checks = [.init(name: "prometheus", verdict: .error, text: "connection refused")]
        story.look(after: 30)
        #expect(story.release.state == .paused(.undecided))
        #expect(story.release.reason == "web: the analysis doesn't work: prometheus: connection refused")
    }

    @Test func aDryRunIsWrittenDownOnly() {
        var story = story(analysis { $0.isDryRun = true })
        story.becomeReady()
        story.traffic(200, errors: 10)
        story.look(after: 30)
        #expect(story.release.state == .running)
        #expect(story.record.contains("analysis at 10 % (dry run): failed: 200 requests, error rate 5 % (limit 1 %)"))
    }

    @Test func aDryRunStillSeesCrashes() {
        var story = story(analysis { $0.isDryRun = true })
        story.becomeReady()
        story.make(.failed("exited with code 1"))
        #expect(story.release.state == .rolledBack)
    }

    @Test func theOldVersionIsTheMeasure() {
        var story = story(
            analysis {
                $0.maxErrorRate = nil
                $0.maxErrorRateIncrease = 0.01
                $0.maxP95Ratio = 1.5
            })
        story.becomeReady()
        let old = TrafficFigures(requests: 900, errors: 18, requestsPerSecond: 30, p95: .milliseconds(20))
        story.traffic(100, errors: 2, p95: .milliseconds(50), old: old)
        story.look(after: 5)
        #expect(
            story.release.reason
                == "web: analysis at 10 %: 100 requests, error rate 2 % against 2 % (limit +1 %), p95 50ms against 20ms (limit 1.5 times)")
    }

    @Test func aCrashAtAnyWeightGoesBack() {
        var story = story()
        story.make(.failed("exited with code 1"))
        #expect(story.release.state == .rolledBack)
        #expect(story.share == nil)
    }

    @Test func anOldVersionThatIsGoneDoesNotComeBackUnready() throws {
        var story = story(nil)
        story.becomeReady()
        story.look(after: 30)
        story.becomeReady()
        story.make(.failed("exited with code 1"), of: 1)
        try story.release.abort(now: story.now)
        story.look()
        #expect(story.release.state == .paused(.rollbackFailure))
        #expect(story.share == 100, "the new version is all that works")
    }
}

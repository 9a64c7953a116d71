import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease
import Testing

/// The new version complete beside the old one, then all traffic at once.
@Suite struct BlueGreenTests {
    private let both = "1/1 2/1 1/2 2/2"

    private func story(byHand: Bool = false, _ body: (inout ReleaseSettings) -> Void = { _ in }) -> Story {
        let service = web(replicas: 2) { settings in
            settings.promotesByHand = byHand
            body(&settings)
        }
        return Story(service, .blueGreen, from: 2)
    }

    @Test func itSwitchesWhenEveryReplicaIsReady() {
        var story = story()
        #expect(story.asked() == both)
        #expect(story.share == 0)
        story.becomeReady(1)
        #expect(story.share == 0)
        story.becomeReady()
        #expect(story.share == 100)
        #expect(story.asked() == both, "the old version stays while the new one is watched")
    }

    @Test func theOldVersionIsKeptWarmAfterSuccess() {
        var story = story()
        story.becomeReady()
        story.look(after: 5)
        #expect(story.release.state == .succeeded)
        #expect(story.release.isLive, "somebody still has to look at it")
        #expect(story.asked() == both)
        #expect(story.wakesIn == .seconds(60))
        story.look(after: 60)
        #expect(story.asked() == "2/1 2/2")
        #expect(!story.release.isLive)
        #expect(story.share == nil)
    }

    @Test func theSwitchCanWaitForSomebody() throws {
        var story = story(byHand: true)
        #expect(!story.release.waitsForPromotion, "there is nothing to promote yet")
        story.becomeReady()
        #expect(story.share == 0)
        #expect(story.wake == nil)
        #expect(story.release.publicState == .paused)
        try story.release.promote(now: story.now)
        story.look()
        #expect(story.share == 100)
    }

    @Test func withoutTrafficOrProbesThereIsNothingToJudge() {
        var story = story(byHand: true) { $0.analysis = analysis() }
        story.becomeReady()
        story.look(after: 60)
        #expect(story.wake == nil, "or it would look again and again")
    }

    @Test func promotingWhileItIsWarmEndsThat() throws {
        var story = story()
        story.becomeReady()
        story.look(after: 5)
        #expect(throws: EscaleError.self) { try story.release.abort(now: story.now) }
        try story.release.promote(now: story.now)
        story.look()
        #expect(story.asked() == "2/1 2/2")
        #expect(throws: EscaleError.self) { try story.release.promote(now: story.now) }
    }

    @Test func aCrashWhileItIsWatchedBringsTheOldVersionBackAtOnce() {
        var story = story()
        story.becomeReady()
        story.look(after: 3)
        story.make(.failed("exited with code 1"), 2)
        #expect(story.asked() == "1/1 1/2", "the old version was complete all the time")
        #expect(story.release.state == .rolledBack)
        #expect(story.share == nil)
    }

    @Test func anAbortedOneGoesBackWhenTheOldVersionCanTakeIt() throws {
        var story = story()
        story.becomeReady()
        story.make(.starting, of: 1)
        try story.release.abort(now: story.now)
        story.look()
        #expect(story.asked() == both, "the new version is all that works")
        #expect(story.share == 100)
        story.becomeReady()
        #expect(story.asked() == "1/1 1/2")
        #expect(story.release.state == .rolledBack)
    }

    @Test func aProbeIsJudgedBeforeTheSwitch() {
        var story = story { $0.analysis = analysis { $0.probePath = "/" } }
        story.becomeReady()
        story.traffic(200, errors: 20)
        story.look(after: 5)
        #expect(story.release.reason == "web: analysis at 0 %: 200 requests, error rate 10 % (limit 1 %)")
        #expect(story.asked() == "1/1 1/2")
    }
}

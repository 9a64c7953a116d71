import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease
import Testing

/// A rolling update, by `deploy.update_config`.
@Suite struct RollingTests {
    @Test func aBatchIsReadyBeforeItsFormerReplicasGo() {
        var story = Story(web(update(parallelism: 2)))
        #expect(story.asked() == "1/1 2/1 1/2 2/2 1/3 1/4")
        story.becomeReady(1)
        #expect(story.asked() == "1/1 2/1 1/2 2/2 1/3 1/4", "the whole batch has to be ready")
        story.becomeReady(2)
        #expect(story.asked() == "2/1 2/2 1/3 2/3 1/4 2/4")
        story.becomeReady()
        #expect(story.asked() == "2/1 2/2 2/3 2/4")
        #expect(story.release.state == .running, "the last ones are watched for `monitor`")
        #expect(story.wakesIn == .seconds(5))
        story.look(after: 5)
        #expect(story.release.state == .succeeded)
        #expect(!story.release.isLive)
    }

    @Test func parallelismZeroIsAllAtOnce() {
        let story = Story(web(update(parallelism: 0)))
        #expect(story.asked() == "1/1 2/1 1/2 2/2 1/3 2/3 1/4 2/4")
    }

    @Test func stopFirstMakesRoomBeforeItStarts() {
        var story = Story(web(update(parallelism: 3, .stopFirst)))
        #expect(story.asked() == "2/1 2/2 2/3 1/4")
        story.becomeReady()
        #expect(story.asked() == "2/1 2/2 2/3 2/4")
    }

    @Test func theDelayLiesBetweenBatchesAndNotAfterTheLast() {
        var story = Story(web(replicas: 2, update(delay: .seconds(10))), from: 2)
        story.becomeReady()
        #expect(story.asked() == "2/1 1/2")
        #expect(story.wakesIn == .seconds(10))
        story.look(after: 9)
        #expect(story.asked() == "2/1 1/2")
        story.look(after: 1)
        #expect(story.asked() == "2/1 1/2 2/2")
        story.becomeReady()
        #expect(story.wakesIn == .seconds(5), "watched, without another delay")
    }

    @Test(arguments: [(4.0, Release.State.rollingBack), (6.0, .succeeded)])
    func aCrashCountsWithinMonitorOnly(seconds: Double, state: Release.State) {
        var story = Story(web(replicas: 1), from: 1)
        story.becomeReady()
        story.look(after: seconds)
        story.make(.failed("exited with code 1"))
        #expect(story.release.state == state)
    }

    @Test func failuresAreToleratedUpToTheRatio() {
        var story = Story(web(update(parallelism: 0, ratio: 0.5)))
        story.make(.failed("exited with code 1"), 1, 2)
        story.becomeReady()
        #expect(story.asked() == "2/1 2/2 2/3 2/4")
        story.make(.failed("exited with code 1"), 3)
        #expect(story.release.state == .rollingBack, "three of four are more than half")
        #expect(story.release.reason == "web: exited with code 1")
    }

    @Test func afterAFailureItGoesBackSlotBySlot() {
        var story = Story(web())
        story.becomeReady()
        #expect(story.asked() == "2/1 1/2 2/2 1/3 1/4")
        story.make(.failed("exited with code 1"), 2)
        #expect(story.asked() == "1/1 2/1 1/2 1/3 1/4", "the second never lost its former replica")
        story.becomeReady()
        #expect(story.asked() == "1/1 1/2 1/3 1/4")
        story.look(after: 5)
        #expect(story.release.state == .rolledBack)
    }

    @Test func failureActionContinueGoesOn() {
        var story = Story(web(update(onFailure: .continue)))
        story.make(.failed("exited with code 1"), 1)
        #expect(story.asked() == "2/1 1/2 2/2 1/3 1/4")
        #expect(story.release.state == .running)
    }

    @Test func failureActionPauseWaitsForSomebody() throws {
        var story = Story(web(update(onFailure: .pause)))
        story.make(.failed("exited with code 1"), 1)
        #expect(story.release.state == .paused(.failure))
        #expect(story.wake == nil)
        #expect(story.asked() == "1/1 2/1 1/2 1/3 1/4", "nothing is lost meanwhile")
        var aborted = story
        try story.release.resume(now: story.now)
        story.look()
        #expect(story.asked() == "2/1 1/2 2/2 1/3 1/4", "resumed means: go on all the same")
        try aborted.release.abort(now: aborted.now)
        aborted.look()
        aborted.look(after: 5)
        #expect(aborted.release.state == .rolledBack)
        #expect(aborted.asked() == "1/1 1/2 1/3 1/4")
    }

    @Test func whatIsMissingComesFirst() {
        var story = Story(web(replicas: 6, update(parallelism: 4)))
        story.becomeReady()
        #expect(story.asked() == "2/1 2/2 1/3 2/3 1/4 2/4 2/5 2/6")
        story.becomeReady()
        #expect(story.asked() == "2/1 2/2 2/3 2/4 2/5 2/6")
    }

    @Test func fewerReplicasGoAfterTheExchange() {
        var story = Story(web(replicas: 2))
        story.becomeReady()
        #expect(story.asked() == "2/1 1/2 2/2 1/3 1/4")
        story.becomeReady()
        #expect(story.asked() == "2/1 2/2")
    }

    @Test func twoVersionsNeverWriteOneVolume() {
        var story = Story(web(replicas: 2, volume: true), from: 2)
        #expect(story.asked() == "2/1 2/2", "the former ones were gone before")
        story.make(.failed("exited with code 1"), 2)
        #expect(story.asked() == "1/1 1/2")
        story.becomeReady()
        story.look(after: 5)
        #expect(story.release.state == .rolledBack)
    }

    @Test func whatIsNotReadyInTimeFailed() {
        var story = Story(web())
        #expect(story.wakesIn == .seconds(600))
        story.look(after: 600)
        #expect(story.release.reason == "web: not ready within 10m")
        #expect(story.asked() == "1/1 1/2 1/3 1/4")
    }

    @Test func aWayBackThatFailsStopsThere() throws {
        var story = Story(web())
        story.becomeReady()
        story.make(.failed("exited with code 1"), 2)
        story.make(.failed("no space left on device"), 1, of: 1)
        #expect(story.release.state == .paused(.rollbackFailure))
        #expect(
            story.release.reason
                == "web: exited with code 1; the way back failed too: web: no space left on device")
        #expect(throws: EscaleError.self) { try story.release.abort(now: story.now) }
        story.make(.ready(since: story.now), 1, of: 1)
        try story.release.resume(now: story.now)
        story.look(after: 5)
        story.look(after: 5)
        #expect(story.release.state == .rolledBack)
    }
}

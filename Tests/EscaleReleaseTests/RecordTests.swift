import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease
import EscaleTestExpectations
import Testing

/// What a release writes down, as `escale release show` prints it. `UPDATE_GOLDEN=1` writes the files.
@Suite struct RecordTests {
    @Test func aCanaryThatIsPromotedAndSucceeds() throws {
        let service = web { settings in
            settings.strategy = .canary
            settings.steps = [.init(weight: 10, pause: .lasting(.seconds(10))), .init(weight: 50, pause: .manual)]
            settings.analysis = analysis { $0.maxP95 = .milliseconds(300) }
        }
        var story = Story(service, .canary)
        story.look(after: 2)
        story.becomeReady()
        story.traffic(12, errors: 0)
        story.look(after: 5)
        story.traffic(120, errors: 1, p95: .milliseconds(12))
        story.look(after: 5)
        story.becomeReady()
        story.look(after: 5)
        try story.release.promote(now: story.now)
        story.look()
        story.becomeReady()
        story.look(after: 5)
        #expect(story.release.state == .succeeded)
        try expectGolden(story.record, "Tests/Golden/release/canary.txt")
    }

    @Test func aRollingUpdateThatFailsAndGoesBack() throws {
        var migrate = Service(name: "migrate")
        migrate.replicas = 1
        let parts = [
            Story.Part(service: migrate, kind: .oneShot, formerSlots: 1),
            Story.Part(service: web(update(ratio: 0.3)), kind: .rolling, after: ["migrate"], formerSlots: 4),
        ]
        var story = Story(parts)
        story.look(after: 1)
        story.make(.completed, in: "migrate")
        story.look(after: 1)
        story.make(.failed("exited with code 1\npanic: no such table: users"), 1)
        story.look(after: 1)
        story.make(.failed("unhealthy\nGET /health: 500"), 2)
        story.look(after: 1)
        story.becomeReady()
        story.look(after: 5)
        #expect(story.release.state == .rolledBack)
        try expectGolden(story.record, "Tests/Golden/release/rolling-back.txt")
    }

    @Test func aBlueGreenReleaseThatIsAborted() throws {
        let service = web(replicas: 2) { settings in settings.promotesByHand = true }
        var story = Story(service, .blueGreen, from: 2)
        story.look(after: 1)
        story.becomeReady()
        try story.release.promote(now: story.now)
        story.look(after: 2)
        try story.release.abort(now: story.now)
        story.look()
        #expect(story.release.state == .rolledBack)
        try expectGolden(story.record, "Tests/Golden/release/blue-green-aborted.txt")
    }
}

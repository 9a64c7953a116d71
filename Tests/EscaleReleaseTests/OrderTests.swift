import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleRelease
import Testing

/// Several services in one release, and services that weren't there.
@Suite struct OrderTests {
    private func part(
        _ name: ServiceName, _ kind: Change.Kind, after: Set<ServiceName> = [], from formerSlots: Int? = 1
    ) -> Story.Part {
        var service = Service(name: name)
        service.replicas = 1
        return Story.Part(service: service, kind: kind, after: after, formerSlots: formerSlots)
    }

    @Test func eachWaitsForWhatItDependsOn() {
        var story = Story([
            part("migrate", .oneShot), part("api", .rolling, after: ["migrate"]), part("web", .rolling, after: ["api"]),
        ])
        #expect(story.asked("api") == "1/1")
        #expect(story.change("api")?.waitsFor == "migrate")
        story.make(.completed, in: "migrate")
        #expect(story.asked("migrate") == "2/1")
        #expect(story.asked("api") == "1/1 2/1")
        story.becomeReady(in: "api")
        #expect(story.asked("web") == "1/1", "not before the first was watched")
        story.look(after: 5)
        #expect(story.asked("web") == "1/1 2/1")
    }

    @Test func aTaskThatRunsIsLookedAtWhenItEnds() {
        var story = Story([part("migrate", .oneShot)])
        story.becomeReady(in: "migrate")
        story.look(after: 10)
        #expect(story.wake == nil, "a time that has passed would have it looked at without end")
    }

    @Test func aTaskThatFailsChangesNothingElse() {
        var story = Story([part("migrate", .oneShot), part("web", .rolling, after: ["migrate"])])
        story.make(.failed("exited with code 3\nrelation \"users\" exists"), in: "migrate")
        #expect(story.release.state == .rolledBack)
        #expect(story.release.reason == "migrate: exited with code 3")
        #expect(story.asked() == "1/1")
        #expect(story.release.decisions.contains { $0.evidence == "relation \"users\" exists" })
    }

    @Test func itIsUndoneInReverseOrder() {
        var story = Story([part("api", .rolling), part("web", .rolling, after: ["api"])])
        story.becomeReady(in: "api")
        story.look(after: 5)
        story.becomeReady(in: "web")
        #expect(story.asked("web") == "2/1")
        story.make(.failed("exited with code 1"), in: "web")
        #expect(story.asked("web") == "1/1 2/1")
        #expect(story.asked("api") == "2/1", "while the other still goes back")
        story.becomeReady(in: "web")
        story.look(after: 5)
        #expect(story.asked("web") == "1/1")
        #expect(story.asked("api") == "1/1 2/1")
        story.becomeReady(in: "api")
        story.look(after: 5)
        #expect(story.release.state == .rolledBack)
        #expect(story.asked("api") == "1/1")
    }

    @Test func aProjectThatIsNewStartsAllAtOnce() {
        var story = Story([part("db", .added, from: nil), part("web", .added, after: ["db"], from: nil)], hasPredecessor: false)
        #expect(story.asked("db") == "2/1")
        #expect(story.asked("web") == "2/1", "the dependencies' own conditions give the order")
        story.becomeReady(in: "db")
        story.becomeReady(in: "web")
        #expect(story.release.state == .succeeded)
    }

    @Test func aFirstReleaseThatFailsIsLeftAsItIs() {
        var story = Story([part("web", .added, from: nil)], hasPredecessor: false)
        story.make(.failed("exited with code 1"))
        #expect(story.release.state == .failed)
        #expect(story.asked() == "2/1", "so that somebody can look at it")
    }

    @Test func anAddedServiceThatFailsIsWithdrawn() {
        var story = Story([part("web", .added, from: nil)])
        #expect(story.asked() == "2/1")
        story.make(.failed("exited with code 1"))
        #expect(story.release.state == .rolledBack)
        #expect(story.asked() == "")
    }

    @Test func aNewerReleaseTakesOverWithAReplicaInEverySlot() {
        var story = Story(web(replicas: 2), from: 2)
        story.becomeReady(1)
        #expect(story.asked() == "2/1 1/2 2/2")
        let standing = story.change()?.allocation.instances ?? []
        story.release.supersede(by: 3, now: story.now)
        #expect(story.release.state == .superseded)
        let change = Change(
            web(replicas: 2), kind: .rolling, after: [], old: 1, oldSlots: 2, new: 3, standing: standing,
            isChecked: true)
        #expect(change.allocation.instances == [Instance(generation: 2, slot: 1), Instance(generation: 1, slot: 2)])
    }

    @Test func aReadyReplicaStaysBeforeAProvenOneThatIsNot() {
        let old = Instance(generation: 1, slot: 1)
        let ready = Instance(generation: 2, slot: 1)
        let change = Change(
            web(replicas: 1), kind: .rolling, after: [], old: 1, oldSlots: 1, new: 3,
            standing: [old, ready], ready: [ready], isChecked: true)
        #expect(change.allocation.instances == [ready])
    }

    @Test func onlyWhatIsUnderWayTakesCommands() throws {
        var story = Story(web(replicas: 1), from: 1)
        #expect(throws: EscaleError.self) { try story.release.promote(now: story.now) }
        #expect(throws: EscaleError.self) { try story.release.resume(now: story.now) }
        try story.release.pause(now: story.now)
        #expect(throws: EscaleError.self) { try story.release.pause(now: story.now) }
        story.becomeReady()
        #expect(story.asked() == "1/1 2/1", "paused")
        try story.release.resume(now: story.now)
        story.look()
        story.look(after: 5)
        #expect(story.release.state == .succeeded)
        let ended = story.release
        #expect(throws: EscaleError.self) { try story.release.abort(now: story.now) }
        #expect(throws: EscaleError.self) { try story.release.pause(now: story.now) }
        #expect(story.release == ended)
    }
}

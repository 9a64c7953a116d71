import EscaleCompose
import EscaleCore
import EscalePlan
import EscaleTestSupport
import Testing

/// What commands on single services ask of the planner.
@Suite struct HoldTests {
    private func held(_ hold: DesiredService.Hold, _ service: DesiredService) -> DesiredService {
        var service = service
        service.hold = hold
        return service
    }

    private func dependent(_ name: ServiceName, on other: ServiceName, restart: Bool = false) -> DesiredService {
        service(name, after: [Dependency(other, restart: restart)])
    }

    // MARK: Created, stopped, removed

    @Test func whatIsOnlyToBeCreatedIsNotStarted() {
        let desired = up(held(.created, service("web", replicas: 2)))
        #expect(planned(desired, seen(container("web", 1, .created))) == ["create web-2 (missing)"])
        #expect(planned(desired, seen(container("web", 1, .created), container("web", 2, .created))) == [])
    }

    @Test func whatIsOnlyToBeCreatedIsMadeAnewWhereItChanged() {
        let desired = up(held(.created, service("web")))
        #expect(planned(desired, seen(container("web", .created, fingerprint: "0"))) == ["remove web-1 (changed)"])
    }

    @Test func whatIsStoppedStaysWhateverItsPolicySays() {
        let desired = up(held(.stopped, service("web", restart: .always)))
        #expect(planned(desired, seen(container("web", .up))) == ["stop web-1 (requested)"])
        #expect(planned(desired, seen(container("web", .ended(1)))) == [])
        #expect(planned(desired, seen()) == [])
    }

    @Test func othersGoOnBesideWhatIsStopped() {
        let desired = up(held(.stopped, service("web")), service("db"))
        #expect(planned(desired, seen(container("web", .ended(0)), container("db", .created))) == ["start db-1 (ready)"])
    }

    @Test func whatIsStoppedTogetherStopsInReverse() {
        let desired = up(held(.stopped, service("db")), held(.stopped, dependent("web", on: "db")))
        #expect(planned(desired, seen(container("db", .up), container("web", .up))) == ["stop web-1 (requested)"])
        #expect(planned(desired, seen(container("db", .up), container("web", .ended(0)))) == ["stop db-1 (requested)"])
    }

    @Test func aDependentThatIsNotStoppedIsNoObstacle() {
        let desired = up(held(.stopped, service("db")), dependent("web", on: "db"))
        #expect(planned(desired, seen(container("db", .up), container("web", .up))) == ["stop db-1 (requested)"])
    }

    @Test func whatDependsOnSomethingHeldWaits() {
        let desired = up(held(.stopped, service("db")), dependent("web", on: "db"))
        let observed = seen(container("db", .ended(0), wasStopped: true), container("web", .created))
        #expect(planned(desired, observed) == ["web-1 waits for db to start"])
    }

    @Test func whatIsToGoIsStoppedAndRemoved() {
        let desired = up(held(.removed, service("web")))
        #expect(planned(desired, seen(container("web", .up))) == ["stop web-1 (requested)"])
        #expect(planned(desired, seen(container("web", .ended(0)))) == ["remove web-1 (requested)"])
        #expect(planned(desired, seen()) == [])
    }

    @Test(arguments: [
        (DesiredService.Hold.created, ObservedContainer.Phase.created, true), (.created, .up, false),
        (.stopped, .up, false), (.stopped, .ended(0), true), (.removed, .ended(0), false),
    ]) func aCommandIsContentWhenItIsSo(hold: DesiredService.Hold, phase: ObservedContainer.Phase, isMet: Bool) {
        let desired = up(held(hold, service("web")))
        let standing = progress(of: desired, seen(container("web", phase)), healthy: false, now: after(60))
        #expect((standing == .met) == isMet)
    }

    // MARK: Restarts

    private func web(round: Int, restart: Bool = false) -> DesiredService {
        var web = dependent("web", on: "db", restart: restart)
        web.round = round
        return web
    }

    private func running(_ name: ServiceName, round: Int) -> ObservedContainer {
        var container = container(name, .up)
        container.round = round
        return container
    }

    @Test func aReplicaOfAnEarlierRoundIsStoppedOnce() {
        var db = service("db")
        db.round = 3
        #expect(planned(up(db), seen(running("db", round: 2))) == ["stop db-1 (requested)"])
        #expect(planned(up(db), seen(running("db", round: 3))) == [])
    }

    @Test func whatIsRestartedTogetherStopsInReverse() {
        var db = service("db")
        db.round = 1
        let desired = up(db, web(round: 1))
        #expect(planned(desired, seen(running("db", round: 0), running("web", round: 0))) == ["stop web-1 (requested)"])
        #expect(planned(desired, seen(running("db", round: 0), running("web", round: 1))) == ["stop db-1 (requested)"])
    }

    @Test func aRestartIsNotOverBeforeTheNewRoundRuns() {
        var db = service("db")
        db.round = 1
        #expect(progress(of: up(db), seen(running("db", round: 0)), healthy: false, now: after(60)) == .pending)
        #expect(progress(of: up(db), seen(running("db", round: 1)), healthy: false, now: after(60)) == .met)
    }

    @Test func aCompanionIsRestartedWhenTheOtherWasReplacedAndStands() {
        var db = service("db")
        db.generation = 2
        let desired = up(db, dependent("web", on: "db", restart: true))
        var web = container("web", .up)
        web.companions = ["db": 1]
        var newer = container("db", .up)
        newer.replica = ReplicaID(service: "db", slot: 1, generation: 2)
        #expect(planned(desired, seen(newer, web)) == ["stop web-1 (db was replaced)"])
        // The former version is still on its way out.
        #expect(!planned(desired, seen(newer, container("db", .up, twin: true), web)).contains("stop web-1 (db was replaced)"))
        web.companions = ["db": 2]
        #expect(planned(desired, seen(newer, web)) == [])
    }

    // MARK: Unhealthy

    @Test(arguments: [
        (RestartPolicy.always, true, true), (.unlessStopped, true, true), (.onFailure(retries: nil), true, true),
        (.no, true, false), (.always, false, false),
    ]) func anUnhealthyReplicaIsStoppedIfItsPolicyRestartsIt(policy: RestartPolicy, restarts: Bool, isStopped: Bool) {
        var web = service("web", restart: policy, checked: true)
        web.restartsUnhealthy = restarts
        let lines = planned(up(web), seen(container("web", .up, health: .unhealthy)))
        #expect(lines == (isStopped ? ["stop web-1 (unhealthy)"] : []))
    }

    // MARK: Preview

    @Test func aPreviewHasEveryStepInOrder() {
        let desired = up(service("db", checked: true), dependent("web", on: "db"), networks: ["n"])
        let lines = preview(desired: desired, observed: seen(), now: after(60)).map(\.line)
        #expect(
            lines == [
                "create network n (missing)", "create db-1 (missing)", "create web-1 (missing)", "start db-1 (ready)",
                "start web-1 (ready)",
            ])
    }

    @Test func aPreviewOfWhatIsSoIsEmpty() {
        #expect(preview(desired: up(service("web")), observed: seen(container("web", .up)), now: after(60)) == [])
    }

    @Test func aPreviewEndsForAnyProject() {
        for seed in UInt64(1)...300 {
            let world = World(seed: seed)
            let steps = preview(desired: world.desired, observed: world.observed, now: world.now)
            let replicas = world.desired.services.reduce(0) { $0 + $1.replicas }
            let created = steps.count { if case .create = $0.action { true } else { false } }
            #expect(created == replicas, "seed \(seed): \(steps.map(\.line))")
        }
    }
}

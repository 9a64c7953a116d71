import EscaleCompose
import EscaleCore
import EscalePlan
import FoundationEssentials
import Testing

/// `stop` and `down`: dependents before what they depend on.
@Suite struct PlannerDownTests {
    private static let chain = up(
        service("db"), service("api", replicas: 2, after: [Dependency("db", condition: .started)]),
        service("web", after: [Dependency("api", condition: .healthy, required: false)]), networks: ["n"],
        volumes: ["data"])

    private static func world(_ web: ObservedContainer.Phase, _ api: ObservedContainer.Phase, _ db: ObservedContainer.Phase)
        -> ObservedProject
    {
        seen(
            container("db", db), container("api", 1, api), container("api", 2, api), container("web", web),
            networks: ["n"], volumes: ["data", "more"])
    }

    @Test func stoppingGoesFromTheEndOfTheChain() {
        let desired = Self.chain.with(.stopped)
        #expect(planned(desired, Self.world(.up, .up, .up)) == ["stop web-1 (requested)"])
        #expect(
            planned(desired, Self.world(.ended(0), .up, .up)) == ["stop api-1 (requested)", "stop api-2 (requested)"])
        #expect(planned(desired, Self.world(.ended(0), .ended(0), .up)) == ["stop db-1 (requested)"])
    }

    @Test func nothingIsDoneForAStoppedProject() {
        let observed = Self.world(.ended(1), .ended(0), .created)
        #expect(plan(desired: Self.chain.with(.stopped), observed: observed, now: after(60)) == Plan())
    }

    @Test func stoppingStopsOrphansToo() {
        let observed = seen(container("old", .up), container("db", .ended(0)))
        #expect(planned(Self.chain.with(.stopped), observed) == ["stop old-1 (requested)"])
    }

    @Test func goingDownRemovesWhatIsStoppedAndStopsFromTheEnd() {
        let desired = Self.chain.with(.down(removeVolumes: false))
        #expect(planned(desired, Self.world(.up, .up, .up)) == ["stop web-1 (going down)"])
        #expect(
            planned(desired, Self.world(.up, .created, .up)) == [
                "remove api-1 (going down)", "remove api-2 (going down)", "stop web-1 (going down)",
            ])
        #expect(
            planned(desired, Self.world(.ended(0), .up, .up)) == [
                "stop api-1 (going down)", "stop api-2 (going down)", "remove web-1 (going down)",
            ])
    }

    @Test func networksGoAfterTheLastContainer() {
        let desired = Self.chain.with(.down(removeVolumes: false))
        let last = seen(container("db", .ended(0)), networks: ["n", "m"], volumes: ["data"])
        #expect(planned(desired, last) == ["remove db-1 (going down)"])
        let none = seen(networks: ["n", "m"], volumes: ["data"])
        #expect(planned(desired, none) == ["remove network m (going down)", "remove network n (going down)"])
    }

    @Test func volumesGoOnlyIfAsked() {
        let none = seen(volumes: ["data", "anonymous"])
        #expect(planned(Self.chain.with(.down(removeVolumes: false)), none) == [])
        #expect(
            planned(Self.chain.with(.down(removeVolumes: true)), none) == [
                "remove volume anonymous (requested)", "remove volume data (requested)",
            ])
    }

    @Test func nothingWaitsOnTheWayDown() {
        for goal: DesiredProject.Goal in [.stopped, .down(removeVolumes: true)] {
            let plan = plan(desired: Self.chain.with(goal), observed: Self.world(.up, .up, .up), now: after(60))
            #expect(plan.waits.isEmpty)
            #expect(plan.wakeAt == nil)
        }
    }

    // MARK: What is kept of it

    @Test func stepsAndGoalsSurviveTheJournal() throws {
        let replica = ReplicaID(service: "web", slot: 2)
        let id = ContainerID(rawValue: "c")
        let steps = [
            Step(.createNetwork("n"), because: .missing), Step(.createVolume("v"), because: .missing),
            Step(.create(replica), because: .missing), Step(.start(id, replica), because: .ended(code: 3, restart: 2)),
            Step(.stop(id, replica), because: .changed), Step(.remove(id, replica), because: .orphan),
            Step(.removeNetwork("n"), because: .goingDown), Step(.removeVolume("v"), because: .requested),
        ]
        #expect(try JSONDecoder().decode([Step].self, from: JSONEncoder().encode(steps)) == steps)
        for goal: DesiredProject.Goal in [.up, .stopped, .down(removeVolumes: true)] {
            let desired = Self.chain.with(goal)
            #expect(try JSONDecoder().decode(DesiredProject.self, from: JSONEncoder().encode(desired)) == desired)
        }
    }

    @Test func everyReasonReads() {
        let reasons: [Reason] = [
            .missing, .ready, .changed, .surplus, .orphan, .requested, .ended(code: 3, restart: 2), .goingDown,
        ]
        #expect(
            reasons.map(\.description) == [
                "missing", "ready to start", "configuration or image changed", "more replicas than wanted",
                "its service is no longer in the file", "requested", "ended with exit code 3, restart 2",
                "the project goes down",
            ])
    }
}

import EscaleCompose
import EscaleCore
import EscalePlan
import Testing

/// When a service may start, by what it depends on.
@Suite struct DependencyTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let condition: Dependency.Condition
        let phase: ObservedContainer.Phase?
        var health: ObservedContainer.Health?
        var restart = RestartPolicy.no
        var failures = 0
        var checked = true
        /// Whether the dependent starts if the dependency is required, and if it is not.
        let starts: Bool
        let startsUnrequired: Bool

        var testDescription: String {
            "\(condition) of \(phase.map { "\($0)" } ?? "nothing"), \(health.map { "\($0)" } ?? "unchecked"), \(restart)"
        }
    }

    static let cases: [Case] = [
        // Started: it runs, or did its work.
        Case(condition: .started, phase: nil, starts: false, startsUnrequired: false),
        Case(condition: .started, phase: .created, starts: false, startsUnrequired: false),
        Case(condition: .started, phase: .up, health: .starting, starts: true, startsUnrequired: true),
        Case(condition: .started, phase: .up, health: .unhealthy, starts: true, startsUnrequired: true),
        Case(condition: .started, phase: .ended(0), starts: true, startsUnrequired: true),
        Case(condition: .started, phase: .ended(1), starts: false, startsUnrequired: true),
        Case(condition: .started, phase: .ended(0, after: -1), starts: false, startsUnrequired: false),
        Case(condition: .started, phase: .ended(1), restart: .always, failures: 1, starts: false, startsUnrequired: false),
        Case(condition: .started, phase: .ended(1), restart: .always, failures: 3, starts: false, startsUnrequired: true),
        // Healthy: only a check says so.
        Case(condition: .healthy, phase: nil, starts: false, startsUnrequired: false),
        Case(condition: .healthy, phase: .created, starts: false, startsUnrequired: false),
        Case(condition: .healthy, phase: .up, health: .starting, starts: false, startsUnrequired: false),
        Case(condition: .healthy, phase: .up, health: .healthy, starts: true, startsUnrequired: true),
        Case(condition: .healthy, phase: .up, health: .unhealthy, starts: false, startsUnrequired: true),
        Case(condition: .healthy, phase: .up, checked: false, starts: false, startsUnrequired: true),
        Case(condition: .healthy, phase: .ended(0), starts: false, startsUnrequired: true),
        Case(condition: .healthy, phase: .ended(0), restart: .always, failures: 1, starts: false, startsUnrequired: false),
        // Completed: it ended, and well.
        Case(condition: .completed, phase: nil, starts: false, startsUnrequired: false),
        Case(condition: .completed, phase: .created, starts: false, startsUnrequired: false),
        Case(condition: .completed, phase: .up, health: .healthy, starts: false, startsUnrequired: false),
        Case(condition: .completed, phase: .ended(0), starts: true, startsUnrequired: true),
        Case(condition: .completed, phase: .ended(0), restart: .always, failures: 1, starts: true, startsUnrequired: true),
        Case(condition: .completed, phase: .ended(0, after: -1), starts: false, startsUnrequired: false),
        Case(condition: .completed, phase: .ended(3), starts: false, startsUnrequired: true),
        Case(
            condition: .completed, phase: .ended(3), restart: .onFailure(retries: 2), failures: 2, starts: false,
            startsUnrequired: false),
        Case(
            condition: .completed, phase: .ended(3), restart: .onFailure(retries: 2), failures: 3, starts: false,
            startsUnrequired: true),
    ]

    @Test(arguments: cases) func aServiceStartsWhenItsDependencyHolds(_ test: Case) {
        for (required, starts) in [(true, test.starts), (false, test.startsUnrequired)] {
            let desired = up(
                service("db", restart: test.restart, checked: test.checked),
                service("web", after: [Dependency("db", condition: test.condition, required: required)]))
            var observed = seen(container("web", .created))
            if let phase = test.phase {
                observed.containers.append(container("db", phase, health: test.health, failures: test.failures))
            }
            let lines = planned(desired, observed).filter { $0.contains("web") }
            let wait =
                switch test.condition {
                case .started: "web-1 waits for db to start"
                case .healthy: "web-1 waits for db to be healthy"
                case .completed: "web-1 waits for db to complete"
                }
            #expect(lines == [starts ? "start web-1 (ready)" : wait], "required: \(required)")
        }
    }

    @Test func everyReplicaOfTheDependencyCounts() {
        let desired = up(
            service("db", replicas: 2), service("web", after: [Dependency("db", condition: .started)]))
        #expect(
            planned(desired, seen(container("db", 1, .up), container("web", .created))) == [
                "create db-2 (missing)", "web-1 waits for db to start",
            ])
        // One that is too many doesn't.
        #expect(
            planned(
                desired,
                seen(container("db", 1, .up), container("db", 3, .up), container("web", .created))) == [
                "create db-2 (missing)", "stop db-3 (surplus)", "web-1 waits for db to start",
            ])
    }

    @Test func theFirstUnmetDependencyIsNamed() {
        let desired = up(
            service("a"), service("b"), service("c"),
            service("web", after: ["a", "b", "c"].map { Dependency($0, condition: .started) }))
        #expect(
            planned(desired, seen(container("a", .up), container("b", .created), container("web", .created))) == [
                "start b-1 (ready)", "create c-1 (missing)", "web-1 waits for b to start",
            ])
    }

    @Test func aDependencyThatIsNotThereHoldsUpOnlyIfItIsRequired() {
        for (required, lines) in [(true, ["web-1 waits for ghost to start"]), (false, ["start web-1 (ready)"])] {
            let desired = up(service("web", after: [Dependency("ghost", condition: .started, required: required)]))
            #expect(planned(desired, seen(container("web", .created))) == lines)
        }
    }

    @Test func aChainStartsInOrder() {
        let desired = up(
            service("web", after: [Dependency("api", condition: .started)]),
            service("api", after: [Dependency("migrate", condition: .completed)]),
            service("migrate", after: [Dependency("db", condition: .healthy)]), service("db", checked: true))
        var observed = seen(
            container("web", .created), container("api", .created), container("migrate", .created),
            container("db", .created))
        func steps() -> [String] { planned(desired, observed).filter { !$0.contains("waits") } }
        func now(_ index: Int, _ phase: ObservedContainer.Phase, _ health: ObservedContainer.Health? = nil) {
            observed.containers[index].phase = phase
            observed.containers[index].health = health
        }
        #expect(steps() == ["start db-1 (ready)"])
        now(3, .up, .starting)
        #expect(steps() == [])
        now(3, .up, .healthy)
        #expect(steps() == ["start migrate-1 (ready)"])
        now(2, .up)
        #expect(steps() == [])
        now(2, .ended(0))
        #expect(steps() == ["start api-1 (ready)"])
        now(1, .up)
        #expect(steps() == ["start web-1 (ready)"])
        now(0, .up)
        #expect(planned(desired, observed) == [])
    }

    @Test func aRestartByPolicyWaitsForNobody() {
        // As with Docker: what ran once has had its dependencies.
        let desired = up(service("db"), service("web", after: [Dependency("db", condition: .started)], restart: .always))
        let observed = seen(container("db", .ended(1)), container("web", .ended(1), failures: 1))
        #expect(planned(desired, observed) == ["start web-1 (ended 1, restart 1)"])
    }
}

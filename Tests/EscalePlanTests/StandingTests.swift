import EscaleCompose
import EscaleCore
import EscalePlan
import Testing

/// When an `up` that somebody waits for has got there, and when it never will.
@Suite struct StandingTests {
    private func standing(_ desired: DesiredProject, _ observed: ObservedProject, wait: Bool) -> Standing {
        progress(of: desired, observed, healthy: wait, now: longAfter)
    }

    /// A moment by which everything that runs has run for a while.
    private let longAfter = Timestamp(nanoseconds: 4_000_000_000_000_000_000)

    private func failure(_ kind: Failure.Kind, _ container: ObservedContainer) -> Standing {
        .failed(Failure(kind, service: container.replica.service, container: container.id))
    }

    struct Case: Sendable {
        let what: String
        let container: ObservedContainer?
        var restart = RestartPolicy.no
        var checked = false
        /// `up -d` and `up --wait`.
        let started: Standing
        let healthy: Standing

        init(
            _ what: String, _ container: ObservedContainer?, restart: RestartPolicy = .no, checked: Bool = false,
            started: Standing, healthy: Standing
        ) {
            self.what = what
            self.container = container
            self.restart = restart
            self.checked = checked
            self.started = started
            self.healthy = healthy
        }
    }

    private static func fails(_ kind: Failure.Kind) -> Standing {
        .failed(Failure(kind, service: "web", container: container("web", .up).id))
    }

    static let cases: [Case] = [
        Case("nothing there", nil, started: .pending, healthy: .pending),
        Case("created", container("web", .created), started: .pending, healthy: .pending),
        Case("runs", container("web", .up), started: .met, healthy: .met),
        Case("the old one runs", container("web", .up, fingerprint: "0"), started: .pending, healthy: .pending),
        Case("starting", container("web", .up, health: .starting), checked: true, started: .met, healthy: .pending),
        Case("not probed yet", container("web", .up), checked: true, started: .met, healthy: .pending),
        Case("healthy", container("web", .up, health: .healthy), checked: true, started: .met, healthy: .met),
        Case(
            "unhealthy", container("web", .up, health: .unhealthy), checked: true, started: .met,
            healthy: fails(.unhealthy)),
        Case("did its work", container("web", .ended(0)), started: .met, healthy: .met),
        Case("failed", container("web", .ended(3)), started: .met, healthy: fails(.exited(code: 3))),
        Case(
            "ended before the request", container("web", .ended(3, after: -1)), started: .pending, healthy: .pending),
        Case("was stopped", container("web", .ended(143), wasStopped: true), started: .pending, healthy: .pending),
        Case(
            "checked, and ended well", container("web", .ended(0)), checked: true, started: .met,
            healthy: fails(.exited(code: 0))),
        Case(
            "crashed once", container("web", .ended(1), failures: 1), restart: .always, started: .pending,
            healthy: .pending),
        Case(
            "crashed twice", container("web", .ended(1), failures: 2), restart: .always, started: .pending,
            healthy: .pending),
        Case(
            "crashed three times", container("web", .ended(1), failures: 3), restart: .always, started: .met,
            healthy: fails(.crashLoop(code: 1, times: 3))),
        Case(
            "gave up", container("web", .ended(1), failures: 2), restart: .onFailure(retries: 1), started: .met,
            healthy: fails(.exited(code: 1))),
    ]

    @Test(arguments: cases) func aServiceGetsThere(_ test: Case) {
        let desired = up(service("web", restart: test.restart, checked: test.checked))
        let observed = ObservedProject(containers: test.container.map { [$0] } ?? [])
        #expect(standing(desired, observed, wait: false) == test.started, "\(test.what), without --wait")
        #expect(standing(desired, observed, wait: true) == test.healthy, "\(test.what), with --wait")
    }

    @Test func allServicesAndReplicasCount() {
        let desired = up(service("web", replicas: 2), service("db"))
        let some = seen(container("web", 1, .up), container("web", 2, .created), container("db", .up))
        #expect(standing(desired, some, wait: false) == .pending)
        let all = seen(container("web", 1, .up), container("web", 2, .up), container("web", 3, .created), container("db", .up))
        #expect(standing(desired, all, wait: true) == .met)
        #expect(standing(up(), seen(), wait: true) == .met)
        #expect(standing(up(service("web", replicas: 0)), seen(), wait: true) == .met)
    }

    @Test func aFailureIsToldWhileOthersArePending() {
        let failed = container("db", .ended(1))
        let desired = up(service("web"), service("db"))
        #expect(standing(desired, seen(failed), wait: true) == failure(.exited(code: 1), failed))
    }

    @Test func whatBlocksTheRestIsAFailureAlsoWithoutWaiting() {
        let failed = container("migrate", .ended(1))
        let desired = up(service("migrate"), service("web", after: [Dependency("migrate", condition: .completed)]))
        let blocked = seen(failed, container("web", .created))
        #expect(standing(desired, blocked, wait: false) == failure(.exited(code: 1), failed))
        // One that runs already is not blocked.
        #expect(standing(desired, seen(failed, container("web", .up)), wait: false) == .met)
        let optional = up(
            service("migrate"), service("web", after: [Dependency("migrate", condition: .completed, required: false)]))
        #expect(standing(optional, blocked, wait: false) == .pending)
    }

    @Test func aDependencyThatNobodyChecksIsToldAtOnce() {
        let desired = up(service("db"), service("web", after: [Dependency("db", condition: .healthy)]))
        let failure = Standing.failed(Failure(.unchecked, service: "db", container: nil))
        #expect(standing(desired, seen(), wait: false) == failure)
        #expect(standing(desired, seen(container("db", .up), container("web", .created)), wait: false) == failure)
    }

    @Test func aBlockedServiceFartherDownTheChainIsPending() {
        // web waits for api, api can't start: the failure is the one at the root.
        let failed = container("db", .ended(1))
        let desired = up(
            service("web", after: [Dependency("api", condition: .started)]),
            service("api", after: [Dependency("db", condition: .healthy)]), service("db", checked: true))
        let observed = seen(failed, container("api", .created), container("web", .created))
        #expect(standing(desired, observed, wait: false) == failure(.exited(code: 1), failed))
    }
}

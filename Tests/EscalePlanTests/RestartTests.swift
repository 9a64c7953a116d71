import EscaleCompose
import EscaleCore
import EscalePlan
import Testing

/// What happens to a container that ended by itself.
@Suite struct RestartTests {
    @Test(arguments: [
        (0, 100), (1, 100), (2, 200), (3, 400), (4, 800), (5, 1600), (8, 12_800), (10, 51_200), (11, 60_000),
        (12, 60_000), (1_000_000, 60_000),
    ]) func theDelayDoublesUpToAMinute(failures: Int, milliseconds: Int) {
        #expect(RestartDelay.delay(failures: failures) == .milliseconds(milliseconds))
    }

    @Test(arguments: [
        (RestartPolicy.no, Int32(0), 1, false), (.no, 1, 1, false), (.always, 0, 1, true), (.always, 137, 99, true),
        (.unlessStopped, 0, 1, true), (.unlessStopped, 1, 99, true), (.onFailure(retries: nil), 0, 1, false),
        (.onFailure(retries: nil), 1, 99, true), (.onFailure(retries: 2), 1, 1, true),
        (.onFailure(retries: 2), 1, 2, true), (.onFailure(retries: 2), 1, 3, false),
        (.onFailure(retries: 2), 0, 1, false), (.onFailure(retries: 0), 1, 1, false),
    ]) func aPolicyAppliesAsWithDocker(policy: RestartPolicy, code: Int32, failures: Int, applies: Bool) {
        #expect(RestartDelay.applies(policy, code: code, failures: failures) == applies)
        let desired = up(service("web", restart: policy))
        let lines = planned(desired, seen(container("web", .ended(code), failures: failures)), at: after(600))
        #expect(lines == (applies ? ["start web-1 (ended \(code), restart \(failures))"] : []))
    }

    /// It waits for what it shares to be somebody's again.
    @Test func whatIsLeftInNobodysNamespaceIsStartedAgain() {
        let desired = up(service("vpn", restart: .always), service("app", after: [Dependency("vpn", restart: true)]))
        var guest = container("app", .up)
        guest.isStranded = true
        let early = planned(desired, seen(container("vpn", .ended(1, after: 10), failures: 3), guest), at: after(10.1))
        #expect(early == [])
        #expect(planned(desired, seen(container("vpn", .up), guest), at: after(11)) == ["stop app-1 (stranded)"])
    }

    @Test func theDelayIsWaitedFor() {
        let desired = up(service("web", restart: .always))
        let observed = seen(container("web", .ended(1, after: 10), failures: 3))
        let early = plan(desired: desired, observed: observed, now: after(10.399))
        #expect(early.lines == [])
        #expect(early.wakeAt == after(10.4))
        let due = plan(desired: desired, observed: observed, now: after(10.4))
        #expect(due.lines == ["start web-1 (ended 1, restart 3)"])
        #expect(due.wakeAt == nil)
    }

    @Test func theEarliestDelayWakes() {
        let desired = up(
            service("a", restart: .always), service("b", restart: .always), service("c", restart: .always))
        let observed = seen(
            container("a", .ended(1, after: 10), failures: 5), container("b", .ended(1, after: 10), failures: 2),
            container("c", .ended(1, after: 9), failures: 5))
        #expect(plan(desired: desired, observed: observed, now: after(10)).wakeAt == after(10.2))
    }

    @Test func nothingWakesWhereNothingRestarts() {
        let observed = seen(container("web", .ended(1)))
        #expect(plan(desired: up(service("web")), observed: observed, now: after(3)).wakeAt == nil)
        let stopped = up(service("web", restart: .always)).with(.stopped)
        #expect(plan(desired: stopped, observed: observed, now: after(2)) == Plan())
    }
}

import EscaleCompose
import EscaleCore
import EscalePlan
import Testing

/// When a service counts as asked for, and when one that runs counts as there.
@Suite struct RequestTimeTests {
    /// A service that was asked for before the project was, as by `up web` beside a finished job.
    private func earlier(_ service: DesiredService, by seconds: Double) -> DesiredService {
        var service = service
        service.requestedAt = after(-seconds)
        return service
    }

    @Test func aServiceThatWasAskedForEarlierIsDoneSinceThen() {
        let ended = seen(container("job", .ended(0, after: -5)))
        #expect(planned(up(earlier(service("job"), by: 10)), ended) == [])
        #expect(planned(up(earlier(service("job"), by: 3)), ended) == ["start job-1 (requested)"])
        #expect(planned(up(service("job")), ended) == ["start job-1 (requested)"])
    }

    @Test func itsDependentsSeeItSo() {
        let job = earlier(service("job"), by: 10)
        let web = service("web", after: [Dependency("job", condition: .completed)])
        let observed = seen(container("job", .ended(0, after: -5)), container("web", .created))
        #expect(planned(up(job, web), observed) == ["start web-1 (ready)"])
        #expect(progress(of: up(job), observed, healthy: true, now: after(60)) == .met)
        // And a failure of then is still one.
        let failed = seen(container("job", .ended(1, after: -5)), container("web", .created))
        let failure = Failure(.exited(code: 1), service: "job", container: container("job", .up).id)
        #expect(planned(up(job, web), failed) == ["web-1 waits for job to complete"])
        #expect(progress(of: up(job, web), failed, healthy: false, now: after(60)) == .failed(failure))
    }

    @Test func whoWaitsIsToldWhenAnUncheckedServiceHasRunForAMoment() {
        let observed = seen(container("web", 1, .running(since: after(1))), container("web", 2, .running(since: after(1.4))))
        let desired = up(service("web", replicas: 2))
        func standing(at seconds: Double, wait: Bool) -> Standing {
            progress(of: desired, observed, healthy: wait, now: after(seconds))
        }
        #expect(standing(at: 1.499, wait: true) == .pending)
        #expect(standing(at: 1.5, wait: true) == .met)
        #expect(standing(at: 1.401, wait: false) == .met)
    }

    @Test func aCheckedServiceNeedsNoMoment() {
        let observed = seen(container("web", .running(since: after(1)), health: .healthy))
        #expect(progress(of: up(service("web", checked: true)), observed, healthy: true, now: after(1)) == .met)
    }

    @Test func aServiceThatDidItsWorkNeedsNoMoment() {
        #expect(progress(of: up(service("job")), seen(container("job", .ended(0))), healthy: true, now: after(2)) == .met)
    }
}

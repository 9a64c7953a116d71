import EscaleCore
import EscalePlan
import Testing

/// Docker's health semantics, with probes that come early.
@Suite struct HealthMonitorTests {
    /// Probes whenever one is due, each taking a millisecond, until the time is up; says what happened when.
    private func run(
        _ monitor: inout HealthMonitor, until end: Timestamp, answers: (Timestamp) -> Bool
    ) -> [(at: Timestamp, health: ObservedContainer.Health)] {
        var changes: [(at: Timestamp, health: ObservedContainer.Health)] = []
        while monitor.nextProbe < end {
            let begun = monitor.nextProbe
            let before = monitor.health
            monitor.finished(success: answers(begun), begun: begun, now: begun + .milliseconds(1))
            if monitor.health != before { changes.append((begun, monitor.health)) }
        }
        return changes
    }

    @Test func dockersDefaultsStandInForWhatIsNotGiven() {
        let plain = HealthMonitor.Settings()
        #expect(plain.interval == .seconds(30))
        #expect(plain.timeout == .seconds(30))
        #expect(plain.retries == 3)
        #expect(plain.startPeriod == .zero)
        #expect(plain.startInterval == .seconds(5))
        #expect(
            HealthMonitor.Settings(interval: .zero, timeout: .zero, retries: 0, startPeriod: .zero, startInterval: .zero)
                == plain)
        #expect(HealthMonitor.Settings(retries: -1).retries == 3)
    }

    @Test func theFirstProbesComeAtGrowingDistances() {
        var monitor = HealthMonitor(.init(), startedAt: asked)
        var distances: [Int64] = []
        var last = asked
        for _ in 0..<11 {
            let begun = monitor.nextProbe
            distances.append((begun - last).nanoseconds / 1_000_000)
            last = begun
            monitor.finished(success: false, begun: begun, now: begun)
        }
        #expect(distances == [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000])
        #expect(monitor.health == .starting)
        #expect(monitor.failuresInARow == 0)
    }

    @Test func theIntervalBoundsTheDistance() {
        var monitor = HealthMonitor(.init(interval: .milliseconds(300)), startedAt: asked)
        for _ in 0..<3 { monitor.finished(success: false, begun: monitor.nextProbe, now: monitor.nextProbe) }
        #expect(monitor.nextProbe == after(0.650))
    }

    @Test func aContainerIsHealthyAsSoonAsItAnswers() {
        var monitor = HealthMonitor(.init(), startedAt: asked)
        let changes = run(&monitor, until: after(120)) { $0 >= after(0.7) }
        #expect(changes.map(\.health) == [.healthy])
        #expect(changes[0].at < after(1))
        // From then on it is probed at the interval, counted from the probe's end.
        var fresh = HealthMonitor(.init(interval: .seconds(10)), startedAt: asked)
        fresh.finished(success: true, begun: after(0.05), now: after(0.3))
        #expect(fresh.nextProbe == after(10.3))
    }

    struct Silence: Sendable {
        let settings: HealthMonitor.Settings
        let from: Double
        let to: Double
    }

    @Test(arguments: [
        Silence(settings: .init(), from: 90, to: 96),
        Silence(settings: .init(interval: .seconds(5), retries: 2), from: 10, to: 15.1),
        Silence(settings: .init(interval: .seconds(5), retries: 1), from: 5, to: 10),
        Silence(settings: .init(interval: .seconds(2), retries: 3, startPeriod: .seconds(20)), from: 24, to: 27),
        Silence(settings: .init(interval: .seconds(60), retries: 2, startPeriod: .seconds(20)), from: 120, to: 126),
    ]) func aContainerThatNeverAnswersIsUnhealthyWhenDockerSaysSo(_ test: Silence) {
        var monitor = HealthMonitor(test.settings, startedAt: asked)
        let changes = run(&monitor, until: after(300)) { _ in false }
        #expect(changes.map(\.health) == [.unhealthy])
        #expect(changes[0].at >= after(test.from))
        #expect(changes[0].at <= after(test.to))
    }

    @Test func aProbeThatBeganInTheStartPeriodDoesNotCount() {
        var monitor = HealthMonitor(.init(interval: .seconds(5), retries: 1, startPeriod: .seconds(10)), startedAt: asked)
        monitor.finished(success: false, begun: after(9.9), now: after(12))
        #expect(monitor.health == .starting)
        monitor.finished(success: false, begun: after(10), now: after(10.1))
        #expect(monitor.health == .unhealthy)
    }

    @Test func theStartPeriodEndsWithTheFirstSuccess() {
        var monitor = HealthMonitor(.init(interval: .seconds(5), retries: 2, startPeriod: .seconds(60)), startedAt: asked)
        monitor.finished(success: true, begun: after(1), now: after(1))
        monitor.finished(success: false, begun: after(6), now: after(6))
        #expect(monitor.health == .healthy)
        #expect(monitor.failuresInARow == 1)
        monitor.finished(success: false, begun: after(11), now: after(11))
        #expect(monitor.health == .unhealthy)
    }

    @Test func onlyFailuresInARowCount() {
        var monitor = HealthMonitor(.init(interval: .seconds(1), retries: 3), startedAt: asked)
        var health: [ObservedContainer.Health] = []
        for success in [true, false, false, true, false, false, false, false, true, false] {
            monitor.finished(success: success, begun: monitor.nextProbe, now: monitor.nextProbe)
            health.append(monitor.health)
        }
        #expect(
            health == [
                .healthy, .healthy, .healthy, .healthy, .healthy, .healthy, .unhealthy, .unhealthy, .healthy, .healthy,
            ])
    }

    @Test func anAdoptedContainerKeepsItsHealthAndIsProbedAtOnce() {
        var monitor = HealthMonitor(
            .init(interval: .seconds(30), retries: 2, startPeriod: .seconds(60)), startedAt: asked, adopted: .healthy,
            now: after(5))
        #expect(monitor.health == .healthy)
        #expect(monitor.nextProbe == after(5))
        monitor.finished(success: false, begun: after(5), now: after(5))
        #expect(monitor.health == .healthy)
        #expect(monitor.nextProbe == after(35))
        monitor.finished(success: false, begun: after(35), now: after(35))
        #expect(monitor.health == .unhealthy)
    }
}

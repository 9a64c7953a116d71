package import EscaleCore

/// The health of one run of a container, as Docker defines it, except that the first probes come early.
///
/// Docker waits a whole interval before the first probe. Here probing starts at once, at growing distances, and what
/// fails before the first interval (or the start period, if longer) has passed doesn't count; from then on it is
/// Docker's: a success makes it healthy, `retries` failures in a row unhealthy.
package struct HealthMonitor: Hashable, Sendable {
    package struct Settings: Codable, Hashable, Sendable {
        package var interval: Duration
        package var timeout: Duration
        package var retries: Int
        package var startPeriod: Duration
        package var startInterval: Duration

        /// Docker's defaults for what is `nil` or zero.
        package init(
            interval: Duration? = nil, timeout: Duration? = nil, retries: Int? = nil, startPeriod: Duration? = nil,
            startInterval: Duration? = nil
        ) {
            func given(_ value: Duration?) -> Duration? { value == .zero ? nil : value }
            self.interval = given(interval) ?? .seconds(30)
            self.timeout = given(timeout) ?? .seconds(30)
            self.retries = retries.flatMap { $0 > 0 ? $0 : nil } ?? 3
            self.startPeriod = startPeriod ?? .zero
            self.startInterval = given(startInterval) ?? .seconds(5)
        }
    }

    package let settings: Settings
    package let startedAt: Timestamp
    package private(set) var health: ObservedContainer.Health = .starting
    /// When the next probe is due.
    package private(set) var nextProbe: Timestamp
    package private(set) var failuresInARow = 0
    private var earlyDelay = Duration.milliseconds(50)

    /// For a container that started at that moment.
    package init(_ settings: Settings, startedAt: Timestamp) {
        self.settings = settings
        self.startedAt = startedAt
        nextProbe = startedAt + .milliseconds(50)
    }

    /// For one that ran before this process did: it keeps its health and is probed at once.
    package init(_ settings: Settings, startedAt: Timestamp, adopted health: ObservedContainer.Health, now: Timestamp) {
        self.init(settings, startedAt: startedAt)
        self.health = health
        nextProbe = now
    }

    /// Takes a probe's result.
    ///
    /// - Parameters:
    ///   - begun: when the probe began, which decides whether its failure counts.
    ///   - now: when it ended, from which the next interval runs.
    package mutating func finished(success: Bool, begun: Timestamp, now: Timestamp) {
        let counts = begun - startedAt >= max(settings.startPeriod, settings.interval) || health != .starting
        if success {
            failuresInARow = 0
            health = .healthy
        } else if counts {
            failuresInARow += 1
            if failuresInARow >= settings.retries { health = .unhealthy }
        }
        nextProbe = now + distance(counts: counts)
    }

    /// Leaves a probe out, as of a container that is paused.
    package mutating func postpone(now: Timestamp) { nextProbe = now + min(settings.interval, .seconds(1)) }

    private mutating func distance(counts: Bool) -> Duration {
        guard health == .starting, !counts else { return settings.interval }
        earlyDelay = min(earlyDelay * 2, settings.startInterval)
        return min(earlyDelay, settings.interval)
    }
}

package import EscaleCore
import EscaleSystem

/// The time that the supervisor records and compares: it goes on by a second each second, whatever becomes of the clock
/// on the wall.
///
/// A moment is the wall clock's as it was when the state was first opened since the machine began, and the uptime since:
/// one line of time for every daemon of a boot. It never goes back, over boots neither. Where somebody sets the wall
/// clock the two part, so that what people see goes through ``wall(_:)``.
package struct SteadyClock: Sendable {
    /// Where this line of time meets the machine's beginning.
    package let beginning: Timestamp
    private let uptime: @Sendable () -> Duration
    private let wallClock: @Sendable () -> Timestamp

    /// Goes on where a daemon of this boot began.
    package init(
        beginning: Timestamp, uptime: @escaping @Sendable () -> Duration = Uptime.now,
        wallClock: @escaping @Sendable () -> Timestamp = { .now }
    ) {
        self.beginning = beginning
        self.uptime = uptime
        self.wallClock = wallClock
    }

    /// Begins now, for this boot.
    ///
    /// - Parameter latest: what it must not go back behind, since so much was recorded already.
    package init(
        after latest: Timestamp?, uptime: @escaping @Sendable () -> Duration = Uptime.now,
        wallClock: @escaping @Sendable () -> Timestamp = { .now }
    ) {
        let now = wallClock()
        self.init(beginning: max(now, latest ?? now) + (.zero - uptime()), uptime: uptime, wallClock: wallClock)
    }

    package var now: Timestamp { beginning + uptime() }

    /// How far the wall clock is ahead; no finer than what two readings may be apart by chance.
    private var lead: Duration {
        let lead = (wallClock() - now).nanoseconds
        return .nanoseconds((Double(lead) / Self.grain).rounded() * Self.grain)
    }

    private static let grain = 10_000_000.0

    /// The moment as today's wall clock has it; one of a former boot as it was then.
    package func wall(_ moment: Timestamp) -> Timestamp {
        moment < beginning ? min(moment, wallClock()) : moment + lead
    }

    /// The moment that the wall clock shows, or showed not long ago, such as in another program's log.
    package func steady(_ shown: Timestamp) -> Timestamp { shown + (.zero - lead) }
}

package import EscaleCore
import Glibc
import Synchronization

/// What this process adds to the time since the machine's boot to know what time it is, in nanoseconds.
private let offset = Atomic<Int64>(read(CLOCK_REALTIME) - read(CLOCK_BOOTTIME))

private func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

extension Timestamp {
    /// What time it is, as this process knows it: by the wall clock when the process began, and evenly from then on, whatever
    /// is done to the wall clock meanwhile. The distance of two of them is how long something took.
    package static var now: Timestamp {
        Timestamp(nanoseconds: read(CLOCK_BOOTTIME) &+ offset.load(ordering: .relaxed))
    }

    /// The wall clock, as other programs read it.
    package static var wall: Timestamp { Timestamp(nanoseconds: read(CLOCK_REALTIME)) }

    /// Makes ``now`` the wall clock's time again.
    ///
    /// - Parameter floor: the earliest that it may be: what was written down then must not be in the future.
    package static func followWallClock(notBefore floor: Timestamp) {
        let time = max(read(CLOCK_REALTIME), floor.nanoseconds)
        offset.store(time &- read(CLOCK_BOOTTIME), ordering: .relaxed)
    }
}

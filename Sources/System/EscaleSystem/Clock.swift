package import EscaleCore
import Glibc

extension Timestamp {
    /// The wall clock.
    package static var now: Timestamp { Timestamp(nanoseconds: reading(of: CLOCK_REALTIME)) }
}

/// How long the machine has been running, time asleep included.
package enum Uptime {
    package static func now() -> Duration { .nanoseconds(reading(of: CLOCK_BOOTTIME)) }

    /// Another one after each boot; `nil` where the kernel doesn't say.
    package static var boot: String? {
        (try? Files.readText("/proc/sys/kernel/random/boot_id")).map { String($0.prefix { !$0.isWhitespace }) }
    }
}

private func reading(of clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

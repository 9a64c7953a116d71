import Glibc
import Synchronization

/// An injected fault: the daemon is killed at its Nth entry in the journal, so that tests can have it die between every
/// two steps. Without `ESCALE_CRASH_AT` nothing happens.
enum CrashPoint {
    private static let limit = getenv("ESCALE_CRASH_AT").flatMap { Int(String(cString: $0)) }
    private static let passed = Atomic(0)

    static func reached() {
        guard let limit else { return }
        if passed.add(1, ordering: .relaxed).newValue == limit { kill(getpid(), SIGKILL) }
    }
}

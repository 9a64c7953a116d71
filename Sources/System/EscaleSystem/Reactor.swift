import CEscaleLinux
import EscaleCore
import Glibc
import Synchronization

/// Waits for descriptors to become readable without holding a thread each: one epoll thread for the process.
package final class Reactor: Sendable {
    package static let shared = Reactor()

    private typealias Waiter = CheckedContinuation<Void, any Error>
    private let epoll: Int32
    /// By a key of each wait's own: a descriptor's number may be in use again before its last event is seen.
    private let waiters = Mutex<[UInt64: (waiter: Waiter, fd: Int32)]>([:])
    private let lastKey = Atomic<UInt64>(0)

    private init() {
        epoll = c_escale_epoll_create()
        do {
            try startThread { self.serve() }
        } catch {
            close(epoll)  // whoever waits is told that the descriptor is bad
        }
    }

    /// Returns when the descriptor can be read, is at its end, or (a pidfd) its process has ended.
    ///
    /// One waiter a descriptor at a time; the caller keeps it open meanwhile.
    /// - Throws: `CancellationError` when the task is cancelled, else what epoll says.
    package func readable(_ descriptor: FileDescriptor) async throws {
        let fd = descriptor.number
        let key = lastKey.wrappingAdd(1, ordering: .relaxed).newValue
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: Waiter) in
                let result: Int32 = waiters.withLock { waiters in
                    if Task.isCancelled { return ECANCELED }
                    guard c_escale_epoll_add_once(epoll, fd, key) == 0 else { return errno }
                    waiters[key] = (waiter, fd)
                    return 0
                }
                switch result {
                case 0: break
                case ECANCELED: waiter.resume(throwing: CancellationError())
                default: waiter.resume(throwing: Errno(result).during("wait for a descriptor"))
                }
            }
        } onCancel: {
            take(key)?.resume(throwing: CancellationError())
        }
        _ = descriptor  // stays open until here
    }

    private func take(_ key: UInt64) -> Waiter? {
        waiters.withLock { waiters -> Waiter? in
            guard let (waiter, fd) = waiters.removeValue(forKey: key) else { return nil }
            _ = c_escale_epoll_remove(epoll, fd)
            return waiter
        }
    }

    private func serve() {
        var ready = [UInt64](repeating: 0, count: 64)
        while true {
            let count = c_escale_epoll_wait(epoll, &ready, Int32(ready.count))
            if count < 0 && errno != EINTR { return }
            for key in ready.prefix(Int(max(0, count))) { take(key)?.resume() }
        }
    }
}

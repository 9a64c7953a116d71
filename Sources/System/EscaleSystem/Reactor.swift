import CEscaleLinux
import EscaleCore
import Glibc
import Synchronization

/// Waits for descriptors to become readable without holding a thread each: one epoll thread for the process.
package final class Reactor: Sendable {
    package static let shared = Reactor()

    private typealias Waiter = CheckedContinuation<Void, any Error>
    private let epoll: Int32
    private let waiters = Mutex<[Int32: Waiter]>([:])

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
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: Waiter) in
                let result: Int32 = waiters.withLock { waiters in
                    if Task.isCancelled { return ECANCELED }
                    guard c_escale_epoll_add_once(epoll, fd) == 0 else { return errno }
                    waiters[fd] = waiter
                    return 0
                }
                switch result {
                case 0: break
                case ECANCELED: waiter.resume(throwing: CancellationError())
                default: waiter.resume(throwing: Errno(result).during("wait for a descriptor"))
                }
            }
        } onCancel: {
            take(fd)?.resume(throwing: CancellationError())
        }
        _ = descriptor  // stays open until here
    }

    private func take(_ fd: Int32) -> Waiter? {
        waiters.withLock { waiters -> Waiter? in
            guard let waiter = waiters.removeValue(forKey: fd) else { return nil }
            _ = c_escale_epoll_remove(epoll, fd)
            return waiter
        }
    }

    private func serve() {
        var ready = [Int32](repeating: -1, count: 64)
        while true {
            let count = c_escale_epoll_wait(epoll, &ready, Int32(ready.count))
            if count < 0 && errno != EINTR { return }
            for fd in ready.prefix(Int(max(0, count))) { take(fd)?.resume() }
        }
    }
}

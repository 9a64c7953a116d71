package import EscaleCore
import Glibc
import Synchronization

/// Runs blocking work (C calls, file trees, mounts) on threads of its own, never on the concurrency pool.
///
/// - Throws: what the work throws. Cancellation doesn't interrupt work that has begun.
package func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        BlockingWork.run { continuation.resume(with: Result { try work() }) }
    }
}

/// Runs the work on a new thread, for what changes the thread itself, such as its namespaces. The thread ends after it.
package func onNewThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        do {
            try startThread { continuation.resume(with: Result { try work() }) }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// Who does blocking work: threads, or, in a program that makes its own time, what that program says.
package enum BlockingWork {
    private static let substitute = Mutex<(@Sendable (@escaping @Sendable () -> Void) -> Void)?>(nil)

    /// From now on all blocking work of this process is handed over to this, instead of to threads.
    package static func handOver(to runner: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
        substitute.withLock { $0 = runner }
    }

    fileprivate static func run(_ work: @escaping @Sendable () -> Void) {
        if let runner = substitute.withLock({ $0 }) { runner(work) } else { BlockingThreads.shared.run(work) }
    }
}

/// A pool that grows on demand up to a limit; further work queues.
private final class BlockingThreads: Sendable {
    static let shared = BlockingThreads(limit: 32)

    private struct State {
        var queue: [@Sendable () -> Void] = []
        var threads = 0
        var idle = 0
    }

    private let limit: Int
    private let state = Mutex(State())
    private let wake = Semaphore()

    init(limit: Int) { self.limit = limit }

    func run(_ work: @escaping @Sendable () -> Void) {
        let needsThread = state.withLock { state in
            state.queue.append(work)
            guard state.queue.count > state.idle, state.threads < limit else { return false }
            state.threads += 1
            return true
        }
        wake.signal()
        guard needsThread else { return }
        do {
            try startThread { self.serve() }
        } catch {
            // The work waits for one of the other threads.
            state.withLock { $0.threads -= 1 }
        }
    }

    private func serve() {
        while true {
            state.withLock { $0.idle += 1 }
            wake.wait()
            let work = state.withLock { state in
                state.idle -= 1
                return state.queue.isEmpty ? nil : state.queue.removeFirst()
            }
            work?()
        }
    }
}

/// A counting semaphore for threads that may block.
package final class Semaphore: Sendable {
    // The semaphore has a stable address for its whole life and sem_* may be called from any thread.
    nonisolated(unsafe) private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    package init(value: UInt32 = 0) { sem_init(semaphore, 0, value) }
    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    package func signal() { sem_post(semaphore) }
    package func wait() { while sem_wait(semaphore) != 0 {} }
}

/// Starts a detached thread with all signals blocked.
///
/// - Throws: `system.failed` where the system refuses.
package func startThread(_ body: @escaping @Sendable () -> Void) throws(EscaleError) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var everySignal = sigset_t()
    var before = sigset_t()
    sigfillset(&everySignal)
    pthread_sigmask(SIG_SETMASK, &everySignal, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    let result = pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    guard result == 0 else {
        box.release()
        throw Errno(result).during("start a thread")
    }
    pthread_detach(thread)
}

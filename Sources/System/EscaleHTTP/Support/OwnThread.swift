import EscaleCore
import Glibc

/// Threads for C calls that block, which must not happen on the concurrency pool.
enum OwnThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a detached thread with all signals blocked.
    ///
    /// - Parameter name: what an error calls it.
    static func start(_ name: String, _ run: @escaping @Sendable () -> Void) throws(EscaleError) {
        var everySignal = sigset_t()
        var before = sigset_t()
        sigfillset(&everySignal)
        pthread_sigmask(SIG_SETMASK, &everySignal, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

        let body = Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { pointer in
                guard let pointer else { return nil }
                Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run()
                return nil
            },
            body.toOpaque()
        )
        guard result == 0 else {
            body.release()
            throw EscaleError(
                .internalFault,
                "cannot start the thread \(name): \(String(cString: strerror(result)))",
                hint: "the limit on threads may be reached: see `ulimit -u` and the pids cgroup"
            )
        }
        pthread_detach(thread)
    }

    /// Suspends while the body runs on a thread of its own.
    static func run(_ name: String, _ body: @escaping @Sendable () -> Void) async throws(EscaleError) {
        do {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                do throws(EscaleError) {
                    try start(name) {
                        body()
                        continuation.resume()
                    }
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        } catch {
            throw EscaleError(wrapping: error)
        }
    }
}

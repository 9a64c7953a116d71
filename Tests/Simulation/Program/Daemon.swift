import EscaleCore
import EscaleSupervisor
import EscaleTestSupport

/// One life of the daemon. Once it is dead none of its calls returns, and nobody waits for its answers.
final class Daemon: @unchecked Sendable {
    let host: Host
    let number: Int
    private(set) var isAlive = true
    /// How many writes and calls it lives through; `nil` for as many as there are.
    var lifeLeft: Int?
    var supervisor: Supervisor?
    /// What must not be freed: a task that was dropped in its midst still refers to it.
    private static nonisolated(unsafe) var graves: [Any] = []

    init(host: Host, number: Int, lifeLeft: Int?) {
        self.host = host
        self.number = number
        self.lifeLeft = lifeLeft
    }

    func kill() {
        guard isAlive else { return }
        isAlive = false
        host.note("the daemon is killed")
        Self.graves.append(self)
    }

    /// A moment at which it may be killed: before a write, before a call, before an answer.
    func pass() {
        guard let left = lifeLeft else { return }
        lifeLeft = left - 1
        if left <= 0 { kill() }
    }

    /// Before a write.
    func write() throws {
        pass()
        if !isAlive { throw Killed() }
        if host.trouble(1), host.random.once(in: 20) {
            host.note("a write fails")
            host.hasLostWrites = true
            throw EscaleError(.init("store.full"), "the disk is full")
        }
    }

    /// Something that the machine does for the daemon: after some time, whether or not the daemon lives to see it.
    func call<Value: Sendable>(
        within delay: ClosedRange<Int64>, _ effect: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await answer { resume in
            self.host.time.after(self.host.random.time(delay)) {
                let result = Result { try effect() }
                self.host.time.after(self.host.random.time(0...2)) { resume(result) }
            }
        }
    }

    /// Waits until the body's `resume` is called.
    func answer<Value: Sendable>(
        _ body: (_ resume: @escaping (Result<Value, any Error>) -> Void) -> Void
    ) async throws -> Value {
        pass()
        return try await withUnsafeThrowingContinuation { continuation in
            // A dead one's call is never answered.
            guard isAlive else { return }
            body { result in
                guard self.isAlive else { return }
                self.pass()
                if self.isAlive { continuation.resume(with: result) }
            }
        }
    }

    /// Blocking work: a moment later, on the only thread there is.
    func block(_ work: @escaping @Sendable () -> Void) {
        host.time.after(host.random.time(0...2)) {
            if self.isAlive { work() } else { Self.graves.append(work) }
        }
    }

    struct Killed: Error {}
}

package import EscaleCore
import EscaleSystem
import Glibc
import Synchronization

/// Where Ctrl-C and SIGTERM go: to the command that asked for them, else they end what runs.
package final class Interrupts: Sendable {
    package typealias Handler = @Sendable (Int32) -> Void

    private struct State {
        var handlers: [Handler] = []
        var received: Int32?
    }

    private let state = Mutex(State())

    package init() {}

    /// The first signal that nobody handled.
    package var received: Int32? { state.withLock(\.received) }

    /// Sends signals to the handler, the latest one given, for as long as the body runs.
    package func handled<Value>(by handler: @escaping Handler, _ body: () async throws -> Value)
        async rethrows -> Value
    {
        state.withLock { $0.handlers.append(handler) }
        defer { state.withLock { _ = $0.handlers.popLast() } }
        return try await body()
    }

    /// Gives a signal to the handler; `false` where there is none.
    @discardableResult
    package func deliver(_ signal: Int32) -> Bool {
        let handler = state.withLock { state -> Handler? in
            if state.handlers.isEmpty { state.received = state.received ?? signal }
            return state.handlers.last
        }
        handler?(signal)
        return handler != nil
    }

    /// Takes the process's SIGINT and SIGTERM over; from here on ``listen(_:onUnhandled:)`` gives them out.
    ///
    /// One that the caller made this process ignore, as `nohup` and scripts do, stays ignored.
    package static func catchSignals() throws(EscaleError) -> SignalPipe {
        let (reading, writing) = try FileDescriptor.pipe()
        // Never blocks in the handler; a full pipe holds enough signals already.
        try check("set a pipe non-blocking") { fcntl(writing.number, F_SETFL, O_NONBLOCK) }
        signalPipe = writing.number
        for number in [SIGINT, SIGTERM] {
            var current = sigaction()
            sigaction(number, nil, &current)
            if unsafeBitCast(current.__sigaction_handler.sa_handler, to: Int.self) != 1 {
                signal(number, noteSignal)
            }
        }
        return SignalPipe(reading: reading, writing: writing)
    }

    /// Gives out what was caught until the task is cancelled.
    ///
    /// - Parameter onUnhandled: called for each signal that no command handles, with how many came before it.
    package func listen(_ pipe: SignalPipe, onUnhandled: @Sendable (Int32, Int) -> Void) async throws {
        var unhandled = 0
        while true {
            try await Reactor.shared.readable(pipe.reading)
            for byte in try pipe.reading.read() where !deliver(Int32(byte)) {
                onUnhandled(Int32(byte), unhandled)
                unhandled += 1
            }
        }
    }
}

/// Carries signals from their handler to a task; both ends stay open as long as it lives.
package struct SignalPipe: Sendable {
    fileprivate let reading: FileDescriptor
    fileprivate let writing: FileDescriptor
}

// Written once before the handlers are installed, read by them: an aligned 32-bit value.
nonisolated(unsafe) private var signalPipe: Int32 = -1

/// Runs as a signal handler: writes the signal's number to the pipe and nothing else.
private func noteSignal(_ number: Int32) {
    let before = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = Glibc.write(signalPipe, &byte, 1)
    errno = before
}

import EscaleCore
import Glibc

/// How a command ended and what it wrote. A non-zero status is a result, not an error.
package struct CommandResult: Sendable {
    /// The exit code, or 128 + the signal.
    package let status: Int32
    /// Both streams as they came, the last `outputLimit` bytes of them.
    package let output: [UInt8]
    /// The error stream alone, where it was asked for; then it isn't in the output.
    package let errors: [UInt8]
    /// Whether it was killed because it took too long.
    package let timedOut: Bool

    package init(status: Int32, output: [UInt8], errors: [UInt8] = [], timedOut: Bool) {
        self.status = status
        self.output = output
        self.errors = errors
        self.timedOut = timedOut
    }

    /// The output as text; what is no UTF-8 is replaced.
    package var text: String { String(decoding: output, as: UTF8.self) }
    /// The last lines of the output, without the final line break.
    package func tail(_ lines: Int = 20) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).drop { $0.isEmpty }
            .reversed().drop { $0.isEmpty }.prefix(lines).reversed().joined(separator: "\n")
    }
}

extension Command {
    /// Runs it to its end and collects what it writes to either stream.
    ///
    /// Its end is the command's own: processes that it leaves behind are neither waited for nor ended, and what they
    /// write later is lost.
    ///
    /// - Parameters:
    ///   - input: what it reads, at most a pipe's 64 KiB; nothing by default.
    ///   - outputLimit: how many bytes of output to keep, counted from the end.
    ///   - separatesErrors: whether what it writes to its error stream is kept apart.
    ///   - timeout: when it is killed.
    ///   - onOutput: sees each piece as it comes.
    /// - Throws: where it can't be started; `CancellationError`, after killing it, when the task is cancelled.
    package func run(
        input: [UInt8] = [],
        outputLimit: Int = 1 << 20,
        separatesErrors: Bool = false,
        timeout: Duration? = nil,
        onOutput: (@Sendable ([UInt8]) async -> Void)? = nil
    ) async throws -> CommandResult {
        let (reading, writing) = try FileDescriptor.pipe()
        let apart = separatesErrors ? try FileDescriptor.pipe() : nil
        let errorReading = apart?.reading
        let child = try await blockingSpawn([try source(of: input), writing, apart?.writing ?? writing])
        _ = consume writing
        _ = consume apart
        return try await withTaskCancellationHandler {
            let collector = Task {
                do {
                    return try await collect(reading, limit: outputLimit, onOutput: onOutput)
                } catch {
                    child.signal(SIGKILL)  // or it would wait for ever for somebody to read
                    throw error
                }
            }
            let errorCollector = Task {
                guard let errorReading else { return [UInt8]() }
                return try await collect(errorReading, limit: outputLimit, onOutput: nil)
            }
            let (status, timedOut) = try await supervise(child, timeout: timeout)
            collector.cancel()
            errorCollector.cancel()
            let output = try await collector.value
            let errors = try await errorCollector.value
            try Task.checkCancellation()
            return CommandResult(status: status, output: output, errors: errors, timedOut: timedOut)
        } onCancel: {
            child.signal(SIGKILL)
        }
    }

    /// A pipe with the input, or with nothing. Never a device: an OCI runtime gives its streams to the container's user, and
    /// `/dev/null` is everybody's.
    private func source(of input: [UInt8]) throws(EscaleError) -> FileDescriptor {
        let (source, sink) = try FileDescriptor.pipe()
        try check("set a pipe blocking") { fcntl(source.number, F_SETFL, 0) }
        guard input.count <= Self.pipeCapacity else { throw Errno(EMSGSIZE).during("give \(executable) its input") }
        try sink.write(input)
        return source
    }

    /// ``spawn(_:)`` off the concurrency pool.
    package func blockingSpawn(_ descriptors: [FileDescriptor]) async throws -> ChildProcess {
        try await blocking { try spawn(descriptors) }
    }

    private func supervise(_ child: ChildProcess, timeout: Duration?) async throws -> (Int32, Bool) {
        let waiting = Task { try await child.wait() }  // not cancelled with us: the child must be reaped
        guard let timeout else { return (try await waiting.value, false) }
        let timer = Task {
            try await Task.sleep(for: timeout)
            child.signal(SIGKILL)
            return true
        }
        let status = try await waiting.value
        timer.cancel()
        return (status, (try? await timer.value) ?? false)
    }

    /// Reads until the pipe's end, or until cancelled, which means that the child has ended.
    private func collect(
        _ pipe: FileDescriptor, limit: Int, onOutput: (@Sendable ([UInt8]) async -> Void)?
    ) async throws -> [UInt8] {
        var output: [UInt8] = []
        var hasEnded = false
        while !hasEnded {
            do {
                try await Reactor.shared.readable(pipe)
            } catch is CancellationError {
                // All that the child wrote is in the pipe, and one reading takes a full pipe.
                hasEnded = true
            }
            guard let piece = try pipe.readAvailable(upTo: Self.pipeCapacity) else { continue }
            if piece.isEmpty { break }
            await onOutput?(piece)
            output += piece
            if output.count > 2 * limit { output.removeFirst(output.count - limit) }
        }
        return Array(output.suffix(limit))
    }

    private static let pipeCapacity = 65536
}

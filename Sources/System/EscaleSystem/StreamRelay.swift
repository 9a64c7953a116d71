package import EscaleCore
import Glibc
import Synchronization

/// Stands between this process's standard streams and those of a child that may give its own to another user, as OCI runtimes
/// do: a file or a terminal behind them stays its owner's. Pipes and sockets go to the child as they are.
package final class StreamRelay: Sendable {
    private let done: [Latch]
    /// Closed when the child has ended.
    private let ending: Mutex<FileDescriptor?>

    /// - Parameter readsInput: whether the child gets this process's input, else nothing.
    /// - Returns: the relay, and the child's streams 0, 1 and 2, which the caller lets go of once the child has them.
    package static func make(readsInput: Bool) throws(EscaleError) -> (relay: StreamRelay, streams: [FileDescriptor]) {
        let (isEnding, ending) = try FileDescriptor.pipe()
        var done: [Latch] = []
        var streams = [try input(readsInput)]
        for stream in [FileDescriptor.standardOutput, .standardError] {
            if isPassedOn(stream) {
                streams.append(try stream.duplicate())
                continue
            }
            let (reading, writing) = try FileDescriptor.pipe()
            let latch = Latch()
            done.append(latch)
            streams.append(writing)
            try startThread {
                carry(reading, to: stream, until: isEnding)
                latch.open()
            }
        }
        return (StreamRelay(done, ending), streams)
    }

    private init(_ done: [Latch], _ ending: FileDescriptor) {
        self.done = done
        self.ending = Mutex(ending)
    }

    /// Waits until all that the child wrote is passed on. To be called when it has ended; what it left running may still have
    /// its streams open, and writes to nobody then.
    package func finish() async throws {
        ending.withLock { $0 = nil }
        for latch in done { try await latch.wait() }
    }

    private static func input(_ readsInput: Bool) throws(EscaleError) -> FileDescriptor {
        if readsInput, isPassedOn(.standardInput) { return try FileDescriptor.standardInput.duplicate() }
        let (reading, writing) = try FileDescriptor.pipe()
        try check("set a pipe blocking") { fcntl(reading.number, F_SETFL, 0) }
        guard readsInput else { return reading }
        try startThread {
            // It ends with the input, with the child, or with this process.
            while let bytes = try? FileDescriptor.standardInput.read(), !bytes.isEmpty {
                guard (try? writing.write(bytes)) != nil else { return }
            }
        }
        return reading
    }

    private static func isPassedOn(_ stream: FileDescriptor) -> Bool {
        var info = stat()
        return fstat(stream.number, &info) == 0 && [S_IFIFO, S_IFSOCK].contains(info.st_mode & S_IFMT)
    }

    private static func carry(_ reading: FileDescriptor, to target: FileDescriptor, until isEnding: FileDescriptor) {
        while true {
            var waiting = [
                pollfd(fd: reading.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isEnding.number, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&waiting, 2, -1) < 0 && errno != EINTR { return }
            // Nobody reads any more, or nothing more can come: the child sees it as it would without a relay.
            guard let bytes = try? reading.readAvailable() else {
                if waiting[1].revents != 0 { return }
                continue
            }
            if bytes.isEmpty || (try? target.write(bytes)) == nil { return }
        }
    }
}

package import EscaleAPI
package import EscaleCore
import EscaleSystem
import Glibc

/// A container's standard streams, over the `attach` socket of its conmon.
///
/// Each packet from there is a byte that names the stream (2: output, 3: errors) and then the data; what is sent there goes
/// to the container's standard input. The `ctl` pipe takes the terminal's size. As conmon 2.1 does it.
package final class ContainerStreams: Sendable {
    package enum End: Sendable {
        case ended
        /// The keys for it were typed, or the task was cancelled; the container goes on.
        case detached
    }

    private let plan: AttachPlan
    private let socket: FileDescriptor
    private let cancelled: (reading: FileDescriptor, writing: FileDescriptor)

    /// Connects. What the container writes from now on is seen.
    package init(_ plan: AttachPlan) throws(EscaleError) {
        self.plan = plan
        let directory = try FileDescriptor(plan.directory, O_RDONLY | O_DIRECTORY)
        // A socket's path may have 107 bytes at most: through the descriptor it always fits.
        socket = try withExtendedLifetime(directory) { () throws(EscaleError) in
            try Self.connect("/proc/self/fd/\(directory.number)/attach", plan.container.name)
        }
        cancelled = try FileDescriptor.pipe()
    }

    private static func connect(_ path: String, _ name: String) throws(EscaleError) -> FileDescriptor {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = FileDescriptor(owning: try check("make a socket") { Glibc.socket(AF_UNIX, kind, 0) })
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor.number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Errno.current.during("attach to \(name)") }
        return descriptor
    }

    /// Carries data both ways until the container ends or the user detaches.
    ///
    /// - Parameters:
    ///   - readsInput: whether this process's standard input goes to the container.
    ///   - detachKeys: bytes that detach when they are typed in a row, at a terminal; none for never.
    package func relay(readsInput: Bool, detachKeys: [UInt8]) async throws -> End {
        try await withTaskCancellationHandler {
            try await onNewThread { try self.carry(readsInput: readsInput && self.plan.readsInput, detachKeys) }
        } onCancel: {
            try? cancelled.writing.write([1])  // the thread has gone already
        }
    }

    /// Tells the container's terminal its size.
    private func resize() throws(EscaleError) {
        guard let size = terminalSize(of: 0) ?? terminalSize(of: 1) else { return }
        let control = try FileDescriptor("\(plan.directory)/ctl", O_WRONLY | O_NONBLOCK)
        try control.write(Array("1 \(size.rows) \(size.columns)\n".utf8))
    }

    private func carry(readsInput: Bool, _ detachKeys: [UInt8]) throws -> End {
        let isTerminal = plan.hasTerminal && isatty(0) == 1
        let raw = isTerminal && readsInput ? try RawTerminal(0) : nil
        let sizes = isTerminal ? try TerminalSizeChanges() : nil
        defer { withExtendedLifetime((raw, sizes)) {} }
        if isTerminal { try resize() }
        var keys = DetachKeys(isTerminal ? detachKeys : [])
        var input: Int32 = readsInput ? 0 : -1
        while true {
            var waiting = [
                pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: cancelled.reading.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: sizes?.descriptor.number ?? -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: input, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&waiting, nfds_t(waiting.count), -1) < 0 && errno != EINTR { throw Errno.current.during("wait for data") }
            if waiting[1].revents != 0 { return .detached }
            if waiting[2].revents != 0, let sizes {
                _ = try sizes.descriptor.read()
                try resize()
            }
            if waiting[0].revents != 0, try !receive() { return .ended }
            guard waiting[3].revents != 0 else { continue }
            let bytes = try FileDescriptor.standardInput.read(upTo: 4096)
            if bytes.isEmpty {
                shutdown(socket.number, Int32(SHUT_WR))
                input = -1
            } else {
                let (passed, detaches) = keys.take(bytes)
                if !passed.isEmpty, !send(passed) { input = -1 }
                if detaches { return .detached }
            }
        }
    }

    /// Takes one packet; `false` at the end.
    private func receive() throws -> Bool {
        let packet = try socket.read(upTo: 65536)
        guard let stream = packet.first else { return false }
        try (stream == 3 ? FileDescriptor.standardError : .standardOutput).write(packet.dropFirst())
        return true
    }

    /// Sends to the container; `false` where it no longer reads.
    private func send(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { Glibc.send(socket.number, $0.baseAddress, bytes.count, noSignal) } >= 0
    }
}

private let noSignal = Int32(MSG_NOSIGNAL)

/// Looks for the keys that detach in what is typed.
package struct DetachKeys {
    /// Docker's: ctrl-p ctrl-q.
    package static let standard: [UInt8] = [16, 17]

    private let keys: [UInt8]
    private var matched = 0

    package init(_ keys: [UInt8]) { self.keys = keys }

    /// What of the bytes is to be passed on, and whether the keys are complete. Keys that turn out to be something else are
    /// passed on with what follows them.
    package mutating func take(_ bytes: [UInt8]) -> (passed: [UInt8], detaches: Bool) {
        guard !keys.isEmpty else { return (bytes, false) }
        var passed: [UInt8] = []
        for byte in bytes {
            if byte == keys[matched] {
                matched += 1
                if matched == keys.count { return (passed, true) }
                continue
            }
            passed += keys.prefix(matched)
            matched = byte == keys[0] ? 1 : 0
            if matched == 0 { passed.append(byte) }
            if matched == keys.count { return (passed, true) }
        }
        return (passed, false)
    }

    /// `ctrl-p,ctrl-q`, `a`, `ctrl-\\`: as Docker writes them.
    package static func parse(_ text: String) throws(EscaleError) -> [UInt8] {
        var keys: [UInt8] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let letter = part.hasPrefix("ctrl-") ? part.dropFirst(5) : part
            guard letter.utf8.count == 1, let byte = letter.utf8.first else {
                throw EscaleError(.usage, "must be keys such as ctrl-p,ctrl-q")
            }
            if letter.count == part.count {
                keys.append(byte)
            } else {
                guard (64...95).contains(byte) || (97...122).contains(byte) else {
                    throw EscaleError(.usage, "\(part) is no key: ctrl- takes a letter, or one of @ [ \\ ] ^ _")
                }
                keys.append(byte & 31)
            }
        }
        return keys
    }
}

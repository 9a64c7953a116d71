import CEscaleLinux
package import EscaleCore
import Glibc

/// A Unix socket at which an OCI runtime hands out the terminal that it made for a process (`--console-socket`).
package final class ConsoleSocket: Sendable {
    package let path: String
    private let directory: String
    private let listener: FileDescriptor

    /// In a directory of its own, which goes with it.
    package init() throws(EscaleError) {
        directory = try Files.makeTemporaryDirectory("escale-console")
        path = "\(directory)/socket"
        listener = FileDescriptor(
            owning: try check("make a socket") { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0) })
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let number = listener.number
        try check("listen at \(path)") {
            withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
        try check("listen at \(path)") { listen(number, 1) }
    }

    deinit {
        unlink(path)
        rmdir(directory)
    }

    /// Waits for the terminal. Doesn't end where nobody sends one, but with its task.
    package func terminal() async throws -> PseudoTerminal {
        try await Reactor.shared.readable(listener)
        let number = listener.number
        let connection = FileDescriptor(owning: try check("take a connection") { accept(number, nil, nil) })
        try await Reactor.shared.readable(connection)
        return PseudoTerminal(
            FileDescriptor(owning: try check("receive a terminal") { c_escale_receive_descriptor(connection.number) }))
    }
}

/// The outer end of a pseudo terminal, carried to this process's own terminal.
package final class PseudoTerminal: Sendable {
    private let outer: FileDescriptor

    init(_ outer: FileDescriptor) { self.outer = outer }

    /// Carries keys and output both ways, and the size, until nobody has the inner end open any more. Blocks.
    package func relay(readsInput: Bool) throws {
        let raw = readsInput && isatty(0) == 1 ? try RawTerminal(0) : nil
        let sizes = try TerminalSizeChanges()
        defer { withExtendedLifetime((raw, sizes)) {} }
        resize()
        var input: Int32 = readsInput ? 0 : -1
        while true {
            var waiting = [
                pollfd(fd: outer.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: sizes.descriptor.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: input, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&waiting, nfds_t(waiting.count), -1) < 0 && errno != EINTR { throw Errno.current.during("wait for data") }
            if waiting[1].revents != 0 {
                _ = try sizes.descriptor.read()
                resize()
            }
            if waiting[0].revents != 0 {
                // The end of a terminal is an error of reading it.
                guard let bytes = try? outer.read(), !bytes.isEmpty else { return }
                try FileDescriptor.standardOutput.write(bytes)
            }
            guard waiting[2].revents != 0 else { continue }
            let bytes = try FileDescriptor.standardInput.read(upTo: 4096)
            if bytes.isEmpty { input = -1 } else { try outer.write(bytes) }
        }
    }

    /// Gives it the size of this process's terminal.
    private func resize() {
        guard let size = terminalSize(of: 0) ?? terminalSize(of: 1) else { return }
        var given = winsize()
        given.ws_row = UInt16(clamping: size.rows)
        given.ws_col = UInt16(clamping: size.columns)
        // One that is gone needs no size.
        _ = ioctl(outer.number, UInt(TIOCSWINSZ), &given)
    }
}

package import EscaleCore
import Glibc

/// The process's terminal without line editing, echo and signal keys, so that every key goes on as it is.
///
/// As it was before when this goes, or ``restore()`` is called.
package final class RawTerminal: Sendable {
    private let number: Int32
    private let before: termios

    /// - Parameter number: a descriptor of a terminal, such as 0.
    package init(_ number: Int32) throws(EscaleError) {
        self.number = number
        var settings = termios()
        try check("read the terminal's settings") { tcgetattr(number, &settings) }
        before = settings
        cfmakeraw(&settings)
        try check("change the terminal's settings") { tcsetattr(number, TCSANOW, &settings) }
    }

    deinit { restore() }

    package func restore() {
        var settings = before
        tcsetattr(number, TCSANOW, &settings)
    }
}

/// The size of a terminal in characters; `nil` for what is none.
package func terminalSize(of number: Int32) -> (rows: Int, columns: Int)? {
    var size = winsize()
    guard ioctl(number, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
    return (Int(size.ws_row), Int(size.ws_col))
}

/// Tells of changes of the terminal's size (SIGWINCH): its descriptor becomes readable. One at a time in a process.
package final class TerminalSizeChanges: Sendable {
    package let descriptor: FileDescriptor
    private let writing: FileDescriptor

    package init() throws(EscaleError) {
        (descriptor, writing) = try FileDescriptor.pipe()
        let end = writing.number
        try check("set a pipe non-blocking") { fcntl(end, F_SETFL, O_NONBLOCK) }
        sizePipe = end
        signal(SIGWINCH, noteSizeChange)
    }

    deinit {
        signal(SIGWINCH, SIG_DFL)
        sizePipe = -1
    }
}

// Written while no handler is installed, read by it: an aligned 32-bit value.
nonisolated(unsafe) private var sizePipe: Int32 = -1

/// Runs as a signal handler: writes a byte to the pipe and nothing else.
private func noteSizeChange(_ number: Int32) {
    let before = errno
    var byte: UInt8 = 1
    _ = Glibc.write(sizePipe, &byte, 1)
    errno = before
}

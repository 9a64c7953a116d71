import EscaleCore
import EscaleSystem
import Glibc

/// Standard output and standard error, and what kind of device they are.
package final class Console: Sendable {
    package enum Stream: Sendable { case output, error }

    /// What a stream is connected to.
    package struct Device: Hashable, Sendable {
        package var isTerminal: Bool
        package var colours: Bool

        package init(isTerminal: Bool, colours: Bool) {
            self.isTerminal = isTerminal
            self.colours = colours
        }

        package static let plain = Device(isTerminal: false, colours: false)
    }

    package struct Size: Hashable, Sendable {
        package var columns: Int
        package var rows: Int

        package init(columns: Int, rows: Int) {
            self.columns = columns
            self.rows = rows
        }
    }

    package let output: Device
    package let error: Device
    private let measure: @Sendable () -> Size
    private let writer: @Sendable (Stream, [UInt8]) -> Void

    package init(
        output: Device,
        error: Device,
        measure: @escaping @Sendable () -> Size,
        writer: @escaping @Sendable (Stream, [UInt8]) -> Void
    ) {
        self.output = output
        self.error = error
        self.measure = measure
        self.writer = writer
    }

    /// The terminal's size now; of a device that is none, 80 columns.
    package var size: Size { measure() }

    /// Writes the text as it is.
    package func write(_ text: String, to stream: Stream = .output) { writer(stream, Array(text.utf8)) }
    /// Writes the bytes, whether they are text or not.
    package func write(_ bytes: [UInt8], to stream: Stream = .output) { writer(stream, bytes) }
    /// Writes the text and a line break.
    package func print(_ text: String, to stream: Stream = .output) { write(text + "\n", to: stream) }

    /// The process's own, coloured as `--ansi` and `NO_COLOR` say.
    package static func standard(ansi: GlobalOptions.AnsiMode, environment: [String: String]) -> Console {
        func device(_ number: Int32) -> Device {
            let terminal = isatty(number) == 1 && environment["TERM"] != "dumb"
            let plain = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
            switch ansi {
            case .auto: return Device(isTerminal: terminal, colours: terminal && !plain)
            case .never: return Device(isTerminal: false, colours: false)
            case .always: return Device(isTerminal: terminal, colours: true)
            }
        }
        return Console(
            output: device(1),
            error: device(2),
            measure: {
                (terminalSize(of: 2) ?? terminalSize(of: 1)).map { Size(columns: $0.columns, rows: $0.rows) }
                    ?? Size(columns: 80, rows: 24)
            },
            writer: { stream, bytes in writeAll(stream == .output ? 1 : 2, bytes) }
        )
    }
}

/// Writes all of it; ends the process as SIGPIPE would where nobody reads any more.
private func writeAll(_ number: Int32, _ bytes: [UInt8]) {
    bytes.withUnsafeBufferPointer { bytes in
        var offset = 0
        while offset < bytes.count {
            let written = Glibc.write(number, bytes.baseAddress?.advanced(by: offset), bytes.count - offset)
            if written >= 0 {
                offset += written
            } else if errno == EAGAIN {
                var poller = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                poll(&poller, 1, -1)
            } else if errno == EPIPE {
                _exit(128 + SIGPIPE)
            } else if errno != EINTR {
                return
            }
        }
    }
}

import EscaleCore
import EscaleSystem
import Glibc

/// One of HAProxy's sockets for commands. Every call blocks, for a millisecond or so.
struct RuntimeSocket: Sendable {
    let path: String

    /// Sends commands that give no more than a line of answer each, as few connections as their length allows.
    ///
    /// - Parameter worker: a worker that the master passes them on to, for the master's socket.
    /// - Returns: all answers.
    func run(_ commands: [String], worker: Int32? = nil) throws(EscaleError) -> String {
        let prefix = worker.map { "@!\($0) " } ?? ""
        var answer = ""
        var line = ""
        for command in commands {
            if line.utf8.count + command.utf8.count > Self.lineLimit {
                answer += try ask(line)
                line = ""
            }
            line += (line.isEmpty ? "" : ";") + prefix + command
        }
        return line.isEmpty ? answer : answer + (try ask(line))
    }

    /// Sends one line, or a command with its payload, and returns what comes until HAProxy closes.
    func ask(_ line: String) throws(EscaleError) -> String {
        let socket = try connected()
        try socket.write((line + "\n").utf8)
        shutdown(socket.number, Int32(SHUT_WR))  // the master would wait for more
        var answer: [UInt8] = []
        while true {
            let piece = try socket.read(upTo: 1 << 18)
            if piece.isEmpty { return String(decoding: answer, as: UTF8.self) }
            answer += piece
        }
    }

    private func connected() throws(EscaleError) -> FileDescriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = FileDescriptor(owning: try check("make a socket") { Glibc.socket(AF_UNIX, type, 0) })
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(socket.number, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw .directoryTooLong(path) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        try check("connect to \(path)") {
            withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(socket.number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
        return socket
    }

    /// HAProxy takes a line up to its buffer's 16 KiB.
    private static let lineLimit = 12_000
}

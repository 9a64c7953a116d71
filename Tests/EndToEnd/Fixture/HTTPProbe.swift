import EscaleSystem
import Glibc
import Synchronization

/// A client as simple as can be: every request has a connection of its own.
enum HTTPProbe {
    /// The body of `GET /`; throws what went wrong, a status other than 200 too. Blocks for a second or two at most.
    static func get(_ port: UInt16, at address: String = "127.0.0.1", path: String = "/") throws -> String {
        let socket = try connected(address, port)
        try socket.write(Array("GET \(path) HTTP/1.0\r\nHost: \(address)\r\n\r\n".utf8))
        var answer: [UInt8] = []
        while true {
            let piece = try socket.read()
            if piece.isEmpty { break }
            answer += piece
        }
        let text = String(decoding: answer, as: UTF8.self)
        guard text.hasPrefix("HTTP/1.0 200") || text.hasPrefix("HTTP/1.1 200"),
            let end = text.firstRange(of: "\r\n\r\n")
        else { throw Unexpected("the answer of \(address):\(port) is \"\(text.prefix(80))\"") }
        return String(text[end.upperBound...])
    }

    /// ``get(_:at:path:)`` on a thread of its own.
    static func answer(_ port: UInt16, at address: String = "127.0.0.1", path: String = "/") async throws
        -> String
    {
        try await blocking { try get(port, at: address, path: path) }
    }

    /// Whether somebody accepts a connection there within a second.
    static func accepts(_ port: UInt16, at address: String = "127.0.0.1") async -> Bool {
        await (try? blocking { _ = try connected(address, port) }) != nil
    }

    /// A connection whose reads and writes give up after a while.
    static func connected(
        _ address: String,
        _ port: UInt16,
        patience: Duration = .seconds(2)
    ) throws -> FileDescriptor {
        let socket = FileDescriptor(
            owning: try check("make a socket") { Glibc.socket(AF_INET, streamKind, 0) }
        )
        var limit = timeval(tv_sec: Int(patience.components.seconds), tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(socket.number, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        try check("connect to \(address):\(port)") { connect(socket.number, to: address, port) }
        return socket
    }

    fileprivate static let streamKind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
}

private func connect(_ socket: Int32, to address: String, _ port: UInt16) -> Int32 {
    var name = socketAddress(address, port)
    return withUnsafePointer(to: &name) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

private func socketAddress(_ address: String, _ port: UInt16) -> sockaddr_in {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    inet_pton(AF_INET, address, &name.sin_addr)
    return name
}

/// A client that asks without pause until it is stopped, and notes every request that failed.
final class SteadyClient: Sendable {
    struct Record: Sendable {
        var requests = 0
        var failures: [String] = []
        var bodies: Set<String> = []
        var longest = Duration.zero
    }

    private let record = Mutex(Record())
    private let isOver = Atomic(false)
    private let ended = Semaphore()

    init(port: UInt16, every pause: Duration) {
        let began = ContinuousClock.now
        let started: Void? = try? startThread { [self] in
            while !isOver.load(ordering: .relaxed) {
                let start = ContinuousClock.now
                let answer = Result { try HTTPProbe.get(port) }
                let took = ContinuousClock.now - start
                record.withLock { record in
                    record.requests += 1
                    record.longest = max(record.longest, took)
                    switch answer {
                    case .success(let body): record.bodies.insert(body)
                    case .failure(let error): record.failures.append("after \(start - began): \(error)")
                    }
                }
                usleep(UInt32(pause / .microseconds(1)))
            }
            ended.signal()
        }
        if started == nil { ended.signal() }
    }

    /// How it went so far.
    var soFar: Record { record.withLock { $0 } }

    /// Stops asking.
    func stop() async throws -> Record {
        isOver.store(true, ordering: .relaxed)
        try await onNewThread { [ended] in ended.wait() }
        return soFar
    }
}

/// Ports of this host that nobody uses, each given to one test only.
enum FreePort {
    private static let next = Mutex(UInt16.random(in: 20_000..<30_000))

    static func take() throws -> UInt16 {
        for _ in 0..<1000 {
            let candidate = next.withLock { number in
                number = number >= 32_000 ? 20_000 : number + 1
                return number
            }
            if (try? Listener(port: candidate)) != nil { return candidate }
        }
        throw Unexpected("this host has no free port between 20000 and 32000")
    }
}

/// A port that this process listens on, as a program that has nothing to do with Escale would.
final class Listener: Sendable {
    private let socket: FileDescriptor

    init(port: UInt16, address: String = "0.0.0.0") throws {
        let socket = FileDescriptor(
            owning: try check("make a socket") { Glibc.socket(AF_INET, HTTPProbe.streamKind, 0) }
        )
        var yes: Int32 = 1
        setsockopt(socket.number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var name = socketAddress(address, port)
        try check("listen on \(port)") {
            withUnsafePointer(to: &name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        try check("listen on \(port)") { listen(socket.number, 16) }
        self.socket = socket
    }
}

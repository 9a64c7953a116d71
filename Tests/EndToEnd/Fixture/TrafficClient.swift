import EscaleSystem
import Glibc
import Synchronization

/// A client as an application's callers are: it asks again and again until it is stopped, and notes what it got.
///
/// Any answer other than 200 is a failure, and so is a connection that breaks before the answer is whole; nothing is
/// tried again.
final class TrafficClient: Sendable {
    enum Manner: Sendable {
        /// Each request has a connection of its own.
        case newConnections
        /// One connection for as long as the other side keeps it.
        case keptAlive
    }

    struct Record: Sendable {
        var requests = 0
        var failures: [String] = []
        /// The bodies in the order in which they came, each with how often it came in a row.
        var runs: [(body: String, count: Int)] = []
        var longest = Duration.zero

        var bodies: Set<String> { Set(runs.map(\.body)) }

        func count(of body: String) -> Int { runs.filter { $0.body == body }.reduce(0) { $0 + $1.count } }

        fileprivate mutating func add(_ body: String) {
            if runs.last?.body == body { runs[runs.count - 1].count += 1 } else { runs.append((body, 1)) }
        }
    }

    private let record = Mutex(Record())
    private let isOver = Atomic(false)
    private let ended = Semaphore()

    init(_ port: UInt16, _ manner: Manner, path: String = "/", patience: Duration = .seconds(3)) {
        let began = ContinuousClock.now
        let started: Void? = try? startThread { [self] in
            var connection: HTTPConnection?
            while !isOver.load(ordering: .relaxed) {
                let start = ContinuousClock.now
                let answer = Result {
                    let current = try connection ?? HTTPConnection(port, patience: patience)
                    connection = nil
                    let answer = try current.get(path, keepsAlive: manner == .keptAlive)
                    if answer.staysOpen { connection = current }
                    return answer
                }
                let took = ContinuousClock.now - start
                record.withLock { record in
                    record.requests += 1
                    record.longest = max(record.longest, took)
                    switch answer {
                    case .success(let answer) where answer.status == 200: record.add(answer.body)
                    case .success(let answer):
                        record.failures.append("after \(start - began): \(answer.status) \(answer.body.prefix(100))")
                    case .failure(let error):
                        record.failures.append("after \(start - began), for \(took): \(error)")
                    }
                }
                usleep(5_000)
            }
            ended.signal()
        }
        if started == nil { ended.signal() }
    }

    /// How it went so far.
    var soFar: Record { record.withLock { $0 } }

    /// Stops asking; returns when the last answer is there.
    func stop() async throws -> Record {
        isOver.store(true, ordering: .relaxed)
        try await onNewThread { [ended] in ended.wait() }
        return soFar
    }
}

/// A connection to a port of this machine that understands as much HTTP/1.1 as the tests need: bodies with a length, or
/// that end with the connection.
final class HTTPConnection {
    struct Answer: Sendable {
        let status: Int
        let body: String
        let staysOpen: Bool
    }

    private let socket: FileDescriptor
    private var pending: [UInt8] = []

    init(_ port: UInt16, patience: Duration) throws {
        socket = try HTTPProbe.connected("127.0.0.1", port, patience: patience)
    }

    func get(_ path: String, headers: [String: String] = [:], keepsAlive: Bool) throws -> Answer {
        let lines = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
        let connection = keepsAlive ? "keep-alive" : "close"
        let text = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: \(connection)\r\n\(lines)\r\n"
        try socket.write(Array(text.utf8))
        let head = try readHead()
        let fields = head.split(separator: "\r\n")
        guard let status = fields.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Unexpected("the answer begins with \"\(head.prefix(80))\"")
        }
        func field(_ name: String) -> String? {
            fields.dropFirst().first { $0.lowercased().hasPrefix(name + ":") }
                .map { $0.dropFirst(name.utf8.count + 1).trimmingSpaces.lowercased() }
        }
        let length = field("content-length").flatMap { Int($0) }
        let body = try readBody(length)
        let staysOpen = keepsAlive && length != nil && field("connection") != "close"
        return Answer(status: status, body: body, staysOpen: staysOpen)
    }

    private func readHead() throws -> Substring {
        while true {
            let text = String(decoding: pending, as: UTF8.self)
            if let end = text.firstRange(of: "\r\n\r\n") {
                pending.removeFirst(text[..<end.upperBound].utf8.count)
                return text[..<end.lowerBound]
            }
            let piece = try socket.read()
            guard !piece.isEmpty else {
                throw Unexpected("the connection ended after \"\(text.prefix(80))\"")
            }
            pending += piece
        }
    }

    private func readBody(_ length: Int?) throws -> String {
        while length.map({ pending.count < $0 }) ?? true {
            let piece = try socket.read()
            if piece.isEmpty {
                guard length == nil else { throw Unexpected("the connection ended within the body") }
                break
            }
            pending += piece
        }
        let body = pending.prefix(length ?? pending.count)
        pending.removeFirst(body.count)
        return String(decoding: body, as: UTF8.self).trimmingLineBreak
    }
}

extension HTTPProbe {
    /// One request on a connection of its own, on a thread of its own, with whatever status it has.
    static func ask(_ port: UInt16, _ path: String = "/", headers: [String: String] = [:]) async throws
        -> HTTPConnection.Answer
    {
        try await blocking {
            try HTTPConnection(port, patience: .seconds(5)).get(path, headers: headers, keepsAlive: false)
        }
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring { drop { $0 == " " } }
}

extension String {
    fileprivate var trimmingLineBreak: String { hasSuffix("\n") ? String(dropLast()) : self }
}

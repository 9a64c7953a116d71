import EscaleCore
import EscaleOCI
import EscaleSystem
import FoundationEssentials
import Glibc
import Synchronization

/// Sends a container's lines to a syslog server. Where it has come to is kept, so that the next daemon goes on there.
final class SyslogForwarder: Sendable {
    private let target: SyslogTarget
    private let message: SyslogMessage
    private let files: LogFiles
    private let reader: Mutex<ContainerLogReader>
    private struct State {
        var work: Task<Void, Never>?
        /// Whether no more lines come.
        var isLast = false
    }
    private let state = Mutex(State())

    /// Longer lines are sent in pieces: servers take no message of any length.
    private static let pieceSize = 16384

    init(
        _ id: ContainerID, name: String, _ files: LogFiles, _ target: SyslogTarget, _ reader: ContainerLogReader
    ) {
        self.target = target
        self.files = files
        self.reader = Mutex(reader)
        message = SyslogMessage(target: target, tag: name, host: Self.hostName)
    }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private var placeFile: String { "\(files.directory)/syslog.place" }

    /// Sends what there is and what comes.
    func begin() {
        state.withLock { state in
            state.isLast = false
            if state.work == nil { state.work = Task { await self.run() } }
        }
    }

    /// Lets it end when all that there is has been sent.
    func finish() { state.withLock { $0.isLast = true } }

    /// Ends it, after a moment for what is left.
    func end(within patience: Duration) async {
        finish()
        guard let work = state.withLock({ $0.work }) else { return }
        let limit = Task {
            try await Task.sleep(for: patience)
            work.cancel()
        }
        await work.value
        limit.cancel()
    }

    private func run() async {
        var pause = Duration.milliseconds(50)
        var connection: SyslogConnection?
        // A place that can't be read, or a first start: from the beginning.
        try? await blocking { try self.resume() }
        while !Task.isCancelled {
            let isLast = state.withLock { $0.isLast }
            // A log that can't be read now is tried again.
            let lines = (try? await blocking { try self.reader.withLock { try $0.next(limit: 1 << 18) } }) ?? []
            if lines.isEmpty {
                if isLast, state.withLock({ state in
                    if state.isLast { state.work = nil }
                    return state.isLast
                }) { return }
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(1))
                continue
            }
            pause = .milliseconds(50)
            await send(lines, by: &connection)
            if Task.isCancelled { break }
            // Where it can't be kept, lines are sent twice at worst.
            try? await blocking { try self.keepPlace() }
        }
        state.withLock { $0.work = nil }
    }

    private func send(_ lines: [ContainerLogLine], by connection: inout SyslogConnection?) async {
        var messages: [[UInt8]] = []
        for line in lines {
            var rest = line.text[...]
            repeat {
                messages.append(message.bytes(line, rest.prefix(Self.pieceSize)))
                rest = rest.dropFirst(Self.pieceSize)
            } while !rest.isEmpty
        }
        var pause = Duration.milliseconds(100)
        var sent = 0
        while sent < messages.count, !Task.isCancelled {
            let (all, from, target) = (messages, sent, target)
            let current = connection
            let outcome = await Result.catching {
                try await blocking { () throws -> (SyslogConnection, Int) in
                    let connection = try current ?? SyslogConnection(target.address)
                    return (connection, connection.send(all[from...]))
                }
            }
            if case .success(let (used, count)) = outcome, count > 0 {
                connection = used
                sent += count
                pause = .milliseconds(100)
            } else {
                // Nobody is there, or not any more: again, for as long as it takes.
                connection = nil
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
    }

    private func resume() throws {
        guard Files.exists(placeFile) else { return }
        let place = try JSONDecoder().decode(OpenLog.Place.self, from: Data(try Files.read(placeFile)))
        try reader.withLock { try $0.skip(to: place) }
    }

    private func keepPlace() throws {
        guard let place = reader.withLock({ $0.place }) else { return }
        try Files.replace(placeFile, try JSONEncoder().encode(place), mode: 0o600)
    }
}

extension Result where Failure == any Error {
    fileprivate static func catching(_ body: () async throws -> Success) async -> Self {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}

/// Lays messages out as the server wants them.
struct SyslogMessage: Sendable {
    let target: SyslogTarget
    let tag: String
    let host: String

    /// Ended by a line break where messages follow one another without any other bound.
    func bytes(_ line: ContainerLogLine, _ text: ArraySlice<UInt8>) -> [UInt8] {
        let severity = line.stream == .stderr ? 3 : 6
        let head = "<\(target.facility.number * 8 + severity)>" + header(line.at)
        var bytes = Array(head.utf8) + text
        switch target.address {
        case .datagrams: break
        case .socket, .stream: bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    private func header(_ time: Timestamp) -> String {
        switch target.format {
        case nil: "\(Self.stamp(time)) \(tag): "
        case .rfc3164: "\(Self.stamp(time)) \(host) \(tag): "
        case .rfc5424: "1 \(Self.dated(time, digits: 0)) \(host) \(tag) - \(tag) - "
        case .rfc5424micro: "1 \(Self.dated(time, digits: 6)) \(host) \(tag) - \(tag) - "
        }
    }

    /// `Nov  8 02:15:30`, in the host's time.
    private static func stamp(_ time: Timestamp) -> String {
        var seconds = time_t(time.nanoseconds / 1_000_000_000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32, _ fill: String = "0") -> String { number < 10 ? fill + "\(number)" : "\(number)" }
        let month = months[Int(max(0, min(11, parts.tm_mon)))]
        return "\(month) \(two(parts.tm_mday, " ")) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }

    /// `2026-11-28T02:15:30.123456Z`
    private static func dated(_ time: Timestamp, digits: Int) -> String {
        let text = "\(time)"
        guard let dot = text.firstIndex(of: ".") else { return text }
        let fraction = text[text.index(after: dot)...].prefix { $0.isNumber }.prefix(digits)
        return text[..<dot] + (fraction.isEmpty ? "" : ".\(fraction)") + "Z"
    }
}

/// A socket to a syslog server. Blocks.
final class SyslogConnection: Sendable {
    private let socket: FileDescriptor

    init(_ address: SyslogAddress) throws(EscaleError) {
        socket =
            switch address {
            case .socket(let path): try Self.local(path)
            case .datagrams(let host, let port): try Self.remote(host, port, Int32(SOCK_DGRAM.rawValue))
            case .stream(let host, let port): try Self.remote(host, port, Int32(SOCK_STREAM.rawValue))
            }
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(socket.number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// - Returns: how many messages were taken whole.
    func send(_ messages: ArraySlice<[UInt8]>) -> Int {
        var taken = 0
        for message in messages {
            var offset = 0
            while offset < message.count {
                let count = message.withUnsafeBytes {
                    Glibc.send(socket.number, $0.baseAddress?.advanced(by: offset), message.count - offset, Int32(MSG_NOSIGNAL))
                }
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return taken }
                offset += count
            }
            taken += 1
        }
        return taken
    }

    private static func local(_ path: String) throws(EscaleError) -> FileDescriptor {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: name.sun_path) else { throw Errno(ENAMETOOLONG).during("open \(path)") }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        var failure = Errno(EPROTOTYPE)
        // Servers listen in either way.
        for kind in [SOCK_DGRAM, SOCK_STREAM] {
            let descriptor = FileDescriptor(owning: try check("make a socket") {
                Glibc.socket(AF_UNIX, Int32(kind.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            })
            let result = withUnsafePointer(to: name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor.number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            if result == 0 { return descriptor }
            failure = .current
        }
        throw failure.during("connect to \(path)")
    }

    private static func remote(_ host: String, _ port: UInt16, _ kind: Int32) throws(EscaleError) -> FileDescriptor {
        var wanted = addrinfo()
        wanted.ai_socktype = kind
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &wanted, &found) == 0 else { throw Errno(EHOSTUNREACH).during("find \(host)") }
        defer { freeaddrinfo(found) }
        var failure = Errno(EHOSTUNREACH)
        var next = found
        while let info = next?.pointee {
            next = info.ai_next
            let number = Glibc.socket(info.ai_family, kind | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard number >= 0 else { continue }
            let descriptor = FileDescriptor(owning: number)
            var limit = timeval(tv_sec: 5, tv_usec: 0)
            setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            if connect(number, info.ai_addr, info.ai_addrlen) == 0 { return descriptor }
            failure = .current
        }
        throw failure.during("connect to \(host):\(port)")
    }
}

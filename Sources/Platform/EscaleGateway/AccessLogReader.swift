package import EscaleCore
package import EscaleNetlink
import EscaleSystem
import Glibc

/// One request as the access log has it; what releases are judged by.
package struct AccessLogEntry: Hashable, Sendable {
    /// When the answer was complete.
    package var time: Timestamp
    /// The replica that answered, or was tried last; `nil` where none was.
    package var server: IPv4Address?
    package var serverPort: UInt16
    /// 0 for connections that the gateway passed on unread; -1 where the client was gone before there was one.
    package var status: Int
    /// From the first byte of the request to the last of the answer.
    package var milliseconds: Int
    /// `nil` where no route led anywhere, and for redirects.
    package var backend: BackendName?
    /// How it ended, by HAProxy's two letters: who ended it early and when; `--` for well.
    package var termination: Termination

    package struct Termination: Hashable, Sendable, CustomStringConvertible {
        package let cause: UInt8
        package let phase: UInt8
        package var isNormal: Bool { cause == UInt8(ascii: "-") }
        /// The client went away, which is no fault of the service.
        package var isByClient: Bool { cause == UInt8(ascii: "C") || cause == UInt8(ascii: "c") }
        package var description: String { String(decoding: [cause, phase], as: UTF8.self) }
    }
}

/// Reads an access log on from where it was; many thousand lines a second. Lines that are none of ours are left out.
package struct AccessLogReader: Sendable {
    package let path: String
    /// Where the next line starts.
    package private(set) var offset: Int64
    private var file: UInt = 0
    private var lastBackend: (bytes: [UInt8], name: BackendName?) = ([], nil)

    /// - Parameter offset: 0 for the beginning.
    package init(path: String, offset: Int64 = 0) {
        self.path = path
        self.offset = offset
    }

    /// Goes to the end: only what comes from now on is read. Blocks.
    package mutating func skipToEnd() throws(EscaleError) {
        guard Files.exists(path) else { return }
        let descriptor = try FileDescriptor(path, O_RDONLY)
        offset = Int64(lseek(descriptor.number, 0, SEEK_END))
    }

    /// The next entries; empty at the end, or where there is no file. Blocks. To be called again until it is empty.
    ///
    /// - Parameter limit: how many bytes are read at most.
    package mutating func next(upTo limit: Int = 1 << 20) throws(EscaleError) -> [AccessLogEntry] {
        guard Files.exists(path) else { return [] }
        let descriptor = try FileDescriptor(path, O_RDONLY)
        var info = stat()
        try check("look at \(path)") { fstat(descriptor.number, &info) }
        if (file != 0 && file != info.st_ino) || info.st_size < offset { offset = 0 }
        file = info.st_ino
        guard offset < info.st_size else { return [] }
        // Over what was cut out at the front.
        let start = Int64(lseek(descriptor.number, Int(offset), Self.seekData))
        if start < 0 { return [] }
        if start > offset { offset = start }
        lseek(descriptor.number, Int(offset), SEEK_SET)
        let bytes = try descriptor.read(upTo: limit)
        var entries: [AccessLogEntry] = []
        let used = bytes.withUnsafeBufferPointer { all -> Int in
            var line = 0
            for index in all.indices where all[index] == UInt8(ascii: "\n") {
                if let entry = parse(UnsafeBufferPointer(rebasing: all[line..<index])) { entries.append(entry) }
                line = index + 1
            }
            return line
        }
        // A line longer than all that was read is none of ours.
        offset += Int64(used == 0 && bytes.count == limit ? bytes.count : used)
        return entries
    }

    private mutating func parse(_ line: UnsafeBufferPointer<UInt8>) -> AccessLogEntry? {
        var cursor = LineCursor(line)
        guard cursor.skip(#"{"time":"#), let time = cursor.number(), cursor.skip(#","status":"#),
            let status = cursor.number(), cursor.skip(#","ms":"#), let milliseconds = cursor.number(),
            cursor.skip(#","backend":""#), let backend = cursor.text(), cursor.skip(#","server":""#),
            let server = cursor.text(), cursor.skip(#","end":""#), let end = cursor.text(), end.count == 2
        else { return nil }
        if !backend.elementsEqual(lastBackend.bytes) {
            lastBackend = (Array(backend), BackendName(proxy: String(decoding: backend, as: UTF8.self)))
        }
        let (address, port) = Self.endpoint(server)
        return AccessLogEntry(
            time: Timestamp(nanoseconds: Int64(time) * 1_000_000), server: address, serverPort: port, status: status,
            milliseconds: max(0, milliseconds), backend: lastBackend.name,
            termination: .init(cause: end[end.startIndex], phase: end[end.startIndex + 1]))
    }

    /// `10.0.0.1:80`; anything else is nobody.
    private static func endpoint(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> (IPv4Address?, UInt16) {
        var numbers: [UInt32] = [0, 0, 0, 0, 0]
        var index = 0
        for byte in text {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): numbers[index] = numbers[index] &* 10 &+ UInt32(byte - 48)
            case UInt8(ascii: "."), UInt8(ascii: ":"):
                index += 1
                if index > 4 { return (nil, 0) }
            default: return (nil, 0)
            }
        }
        guard index == 4, numbers[0..<4].allSatisfy({ $0 < 256 }), numbers[4] < 65536, numbers[4] > 0 else {
            return (nil, 0)
        }
        let value = numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3]
        return (IPv4Address(rawValue: value), UInt16(numbers[4]))
    }

    private static let seekData: Int32 = 3
}

/// Walks over a line whose keys and their order are known.
private struct LineCursor {
    private let line: UnsafeBufferPointer<UInt8>
    private var index = 0

    init(_ line: UnsafeBufferPointer<UInt8>) { self.line = line }

    mutating func skip(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard index + count <= line.count, let base = line.baseAddress,
            memcmp(base + index, literal.utf8Start, count) == 0
        else { return false }
        index += count
        return true
    }

    mutating func number() -> Int? {
        var value = 0
        var digits = 0
        let isNegative = index < line.count && line[index] == UInt8(ascii: "-")
        if isNegative { index += 1 }
        while index < line.count, line[index] >= 48, line[index] <= 57, digits < 18 {
            value = value * 10 + Int(line[index] - 48)
            index += 1
            digits += 1
        }
        return digits == 0 ? nil : (isNegative ? -value : value)
    }

    /// Up to the next quotation mark, which is passed over: for values that hold no escapes.
    mutating func text() -> Slice<UnsafeBufferPointer<UInt8>>? {
        guard index < line.count, let end = line[index...].firstIndex(of: UInt8(ascii: "\"")) else { return nil }
        defer { index = end + 1 }
        return line[index..<end]
    }
}

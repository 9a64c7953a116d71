package import EscaleCore
import EscaleSystem
import Glibc

/// One line that a container wrote.
package struct ContainerLogLine: Hashable, Sendable {
    package enum Stream: String, Sendable { case stdout, stderr }
    package let at: Timestamp
    package let stream: Stream
    package let text: [UInt8]
}

/// Reads the log that conmon writes: `TIME STREAM F text`, where `P` instead of `F` means the line goes on.
///
/// Blocks; give each its own thread or task of ``blocking(_:)``. Not safe for two callers at once.
package struct ContainerLogReader: Sendable {
    private let path: String
    private var offset: Int64 = 0
    private var unfinished: [UInt8] = []
    /// Text of lines that go on, by stream.
    private var parts: [ContainerLogLine.Stream: [UInt8]] = [:]

    /// Longer lines come in pieces, so that a program that never ends a line fills no memory.
    private static let lineLimit = 1 << 20
    /// How far before the wanted lines their beginnings are looked for.
    private static let lookBack: Int64 = 1 << 18

    package init(path: String) { self.path = path }

    /// Skips all but the last so many lines; of a very long one the beginning may be skipped too.
    package mutating func skip(toLast lines: Int) throws(EscaleError) {
        guard Files.exists(path) else { return }
        let file = try FileDescriptor(path, O_RDONLY)
        let wanted = try start(ofLast: lines, in: file)
        offset = max(0, wanted - Self.lookBack)
        if offset > 0 {
            let block = try read(file, at: offset, upTo: Int(wanted - offset))
            offset += Int64(block.firstIndex(of: newline).map { $0 + 1 } ?? block.count)
        }
        // Read for their parts of the wanted lines, and dropped where they end before them.
        while offset < wanted { _ = try advance(in: file, upTo: Int(wanted - offset)) }
    }

    /// The complete lines that were written since the last call; empty where there are none.
    package mutating func next(limit: Int = 1 << 20) throws(EscaleError) -> [ContainerLogLine] {
        guard Files.exists(path) else { return [] }
        let file = try FileDescriptor(path, O_RDONLY)
        while true {
            let before = offset
            let lines = try advance(in: file, upTo: limit)
            if !lines.isEmpty || offset == before { return lines }
        }
    }

    /// Ends the lines that are still open in a log that nobody writes any more.
    ///
    /// conmon leaves a last line without a line break as one that goes on, and half of one when it is killed.
    package static func seal(_ path: String, at time: Timestamp) throws(EscaleError) {
        guard Files.exists(path) else { return }
        let file = try FileDescriptor(path, O_WRONLY | O_APPEND)
        var reader = ContainerLogReader(path: path)
        try reader.skip(toLast: 0)
        _ = try reader.next()
        if !reader.unfinished.isEmpty {
            try file.write([newline])
            _ = try reader.next()
        }
        let endings = reader.parts.keys.map { "\(time) \($0.rawValue) F \n" }.sorted()
        if !endings.isEmpty { try file.write(endings.joined().utf8) }
    }

    // MARK: Pieces

    private mutating func advance(in file: FileDescriptor, upTo limit: Int) throws(EscaleError) -> [ContainerLogLine] {
        let block = try read(file, at: offset, upTo: limit)
        offset += Int64(block.count)
        unfinished += block
        var lines: [ContainerLogLine] = []
        var start = unfinished.startIndex
        while let end = unfinished[start...].firstIndex(of: newline) {
            if let record = LogRecord(unfinished[start..<end]), let line = add(record) { lines.append(line) }
            start = end + 1
        }
        unfinished.removeSubrange(..<start)
        return lines
    }

    private mutating func add(_ record: LogRecord) -> ContainerLogLine? {
        var text = parts.removeValue(forKey: record.stream) ?? []
        text += record.text
        if record.goesOn && text.count < Self.lineLimit {
            parts[record.stream] = text
            return nil
        }
        return ContainerLogLine(at: record.at, stream: record.stream, text: text)
    }

    /// Where the record begins that ends the first of the last so many lines.
    private func start(ofLast lines: Int, in file: FileDescriptor) throws(EscaleError) -> Int64 {
        var position = Int64(try check("read \(path)") { lseek(file.number, 0, SEEK_END) })
        var wanted: Int64?
        var found = 0
        // The record at the block's start, which began before it.
        var rest: ArraySlice<UInt8> = []
        while position > 0 {
            let start = max(0, position - 65536)
            let block = try read(file, at: start, upTo: Int(position - start)) + rest
            var last = block.lastIndex(of: newline)
            if wanted == nil, let last { wanted = start + Int64(last) + 1 }
            while let end = last, found < lines {
                last = block[..<end].lastIndex(of: newline)
                if last == nil && start > 0 {
                    last = end
                    break
                }
                let begin = last.map { $0 + 1 } ?? 0
                if LogRecord(block[begin..<end])?.goesOn == false {
                    found += 1
                    wanted = start + Int64(begin)
                }
            }
            if found == lines, let wanted { return wanted }
            rest = last.map { block[...$0] } ?? []
            position = start
        }
        return 0
    }

    private func read(_ file: FileDescriptor, at offset: Int64, upTo limit: Int) throws(EscaleError) -> [UInt8] {
        try check("read \(path)") { lseek(file.number, Int(offset), SEEK_SET) }
        return try file.read(upTo: limit)
    }
}

private let newline = UInt8(ascii: "\n")

/// One line of the file.
private struct LogRecord {
    let at: Timestamp
    let stream: ContainerLogLine.Stream
    let goesOn: Bool
    let text: ArraySlice<UInt8>

    /// `nil` for what conmon doesn't write.
    init?(_ raw: ArraySlice<UInt8>) {
        let fields = raw.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        guard fields.count >= 3, let at = Timestamp(String(decoding: fields[0], as: UTF8.self)),
            let stream = ContainerLogLine.Stream(rawValue: String(decoding: fields[1], as: UTF8.self))
        else { return nil }
        self.at = at
        self.stream = stream
        goesOn = fields[2].first == UInt8(ascii: "P")
        text = fields.count > 3 ? fields[3] : []
    }
}

extension Engine {
    /// The log of a container, from its beginning.
    package func log(of id: ContainerID) -> ContainerLogReader { ContainerLogReader(path: bundle(id).log) }

    /// The last lines of both streams, as text: what an error shows. Blocks.
    package func logTail(of id: ContainerID, lines: Int = 10) -> String {
        var reader = log(of: id)
        // A log that can't be read leaves the error without its tail.
        guard (try? reader.skip(toLast: lines)) != nil, let last = try? reader.next() else { return "" }
        return last.suffix(lines).map { String(decoding: $0.text, as: UTF8.self) }.joined(separator: "\n")
    }
}

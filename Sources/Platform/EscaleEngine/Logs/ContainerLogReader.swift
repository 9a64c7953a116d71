package import EscaleCore
import EscaleSystem
import Glibc

/// One line that a container wrote.
package struct ContainerLogLine: Hashable, Sendable {
    package enum Stream: String, Codable, CaseIterable, Sendable { case stdout, stderr }
    package let at: Timestamp
    package let stream: Stream
    package let text: [UInt8]
    /// Whether the next one of its stream is the rest of a very long line.
    package let goesOn: Bool

    /// The text with the line break that ends it, if it has come to its end.
    package var bytes: [UInt8] { goesOn ? text : text + [newline] }
}

/// Reads the log that conmon writes: `TIME STREAM F text`, where `P` instead of `F` means the line goes on.
///
/// Reads across files that are full, and what was removed since it first looked. Blocks; give each its own thread or task
/// of ``blocking(_:)``. Not safe for two callers at once.
package struct ContainerLogReader: Sendable {
    private let log: OpenLog
    private var offset: Int64 = 0
    private var unfinished: [UInt8] = []
    /// Text of lines that go on, by stream.
    private var parts: [ContainerLogLine.Stream: [UInt8]] = [:]
    /// The streams whose line lacks its beginning, which was removed: it is left out.
    private var cut: Set<ContainerLogLine.Stream> = []
    private var hasStarted = false
    private var missed = false

    /// Longer lines come in pieces, so that a program that never ends a line fills no memory.
    private static let lineLimit = 1 << 22
    /// How far before the wanted lines their beginnings are looked for.
    private static let lookBack: Int64 = 1 << 23

    /// Of the log in a container's directory.
    package init(directory: String) { self.init(OpenLog(LogFiles(directory: directory))) }
    init(_ log: OpenLog) { self.log = log }

    /// Skips all but the last so many lines; of a very long one the beginning may be skipped too.
    package mutating func skip(toLast lines: Int) throws(EscaleError) {
        let end = try log.refresh()
        hasStarted = true
        try seek(to: try start(ofLast: lines, before: end))
    }

    /// Skips the files whose lines are all older. Lines that are older still come, from the file where the time falls.
    package mutating func skip(to time: Timestamp) throws(EscaleError) {
        try log.refresh()
        hasStarted = true
        for beginning in log.beginnings.reversed() {
            let head = try log.read(at: beginning, upTo: 64).bytes
            guard let first = LogEntry(head[...])?.at, first < time else { continue }
            return try seek(to: beginning)
        }
    }

    /// The complete lines that were written since the last call; empty where there are none.
    package mutating func next(limit: Int = 1 << 20) throws(EscaleError) -> [ContainerLogLine] {
        let end = try log.refresh()
        if offset < log.start {
            missed = missed || hasStarted
            offset = log.start
        }
        hasStarted = true
        while offset < end {
            let lines = try advance(upTo: limit)
            log.release(before: offset)
            if !lines.isEmpty { return lines }
        }
        return []
    }

    /// Whether lines were removed before they could be read, since the last time it was asked.
    package mutating func takeMissed() -> Bool {
        defer { missed = false }
        return missed
    }

    /// Where the lines end that were read; what follows may begin with the rest of a record.
    var place: OpenLog.Place? { parts.isEmpty ? log.place(of: offset - Int64(unfinished.count)) : nil }

    /// Goes on from a place, or from the beginning where that isn't held any more.
    mutating func skip(to place: OpenLog.Place) throws(EscaleError) {
        try log.refresh()
        offset = log.offset(of: place) ?? log.start
        hasStarted = true
    }

    /// Ends the lines that are still open in a log that nobody writes any more.
    ///
    /// conmon leaves a last line without a line break as one that goes on, and half of one when it is killed.
    package static func seal(directory: String, at time: Timestamp) throws(EscaleError) {
        let files = LogFiles(directory: directory)
        let isBetweenFiles = !Files.exists(files.current)
        if isBetweenFiles, try files.fullNumbers(from: files.start).isEmpty { return }
        let file = try FileDescriptor(files.current, O_WRONLY | O_APPEND | O_CREAT, mode: 0o600)
        var reader = ContainerLogReader(directory: directory)
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

    /// Goes to where a record begins, with what the records before it have of lines that go on.
    private mutating func seek(to wanted: Int64) throws(EscaleError) {
        offset = max(log.start, wanted - Self.lookBack)
        if offset > log.start {
            let block = try read(from: offset, to: min(wanted, offset + 65536))
            offset += Int64(block.firstIndex(of: newline).map { $0 + 1 } ?? block.count)
        }
        // Dropped where they end before it.
        while offset < wanted { _ = try advance(upTo: Int(wanted - offset)) }
        log.release(before: offset)
    }

    private mutating func advance(upTo limit: Int) throws(EscaleError) -> [ContainerLogLine] {
        let (block, cut) = try log.read(at: offset, upTo: limit)
        if let cut {
            missed = missed || offset > 0
            parts = [:]
            unfinished = []
            self.cut = Set(cut)
        }
        offset += Int64(block.count)
        unfinished += block
        var lines: [ContainerLogLine] = []
        var start = unfinished.startIndex
        while let end = unfinished[start...].firstIndex(of: newline) {
            if let record = LogEntry(unfinished[start..<end]), let line = add(record) { lines.append(line) }
            start = end + 1
        }
        unfinished.removeSubrange(..<start)
        return lines
    }

    private mutating func add(_ record: LogEntry) -> ContainerLogLine? {
        if cut.contains(record.stream) {
            if !record.goesOn { cut.remove(record.stream) }
            return nil
        }
        var text = parts.removeValue(forKey: record.stream) ?? []
        text += record.text
        if record.goesOn && text.count < Self.lineLimit {
            parts[record.stream] = text
            return nil
        }
        return ContainerLogLine(at: record.at, stream: record.stream, text: text, goesOn: record.goesOn)
    }

    /// Where the record begins that ends the first of the last so many lines.
    private func start(ofLast lines: Int, before end: Int64) throws(EscaleError) -> Int64 {
        var position = end
        var wanted: Int64?
        var found = 0
        // The record at the block's start, which began before it.
        var rest: ArraySlice<UInt8> = []
        while position > log.start {
            let start = max(log.start, position - 65536)
            let block = try read(from: start, to: position) + rest
            var last = block.lastIndex(of: newline)
            if wanted == nil, let last { wanted = start + Int64(last) + 1 }
            while let end = last, found < lines {
                last = block[..<end].lastIndex(of: newline)
                if last == nil && start > log.start {
                    last = end
                    break
                }
                let begin = last.map { $0 + 1 } ?? 0
                if LogEntry(block[begin..<end])?.goesOn == false {
                    found += 1
                    wanted = start + Int64(begin)
                }
            }
            if found == lines, let wanted { return wanted }
            rest = last.map { block[...$0] } ?? []
            position = start
        }
        return log.start
    }

    /// All bytes between the offsets, of however many files.
    private func read(from start: Int64, to end: Int64) throws(EscaleError) -> [UInt8] {
        var all: [UInt8] = []
        while start + Int64(all.count) < end {
            let piece = try log.read(at: start + Int64(all.count), upTo: Int(end - start) - all.count).bytes
            if piece.isEmpty { break }
            all += piece
        }
        return all
    }
}

private let newline = UInt8(ascii: "\n")

/// One line of the file.
struct LogEntry {
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
    package func log(of id: ContainerID) -> ContainerLogReader { logs.reader(of: id, bundle(id).logFiles) }

    /// The last lines of both streams, as text: what an error shows. Blocks.
    package func logTail(of id: ContainerID, lines: Int = 10) -> String {
        var reader = log(of: id)
        // A log that can't be read leaves the error without its tail.
        guard (try? reader.skip(toLast: lines)) != nil, let last = try? reader.next() else { return "" }
        return last.suffix(lines).map { String(decoding: $0.text, as: UTF8.self) }.joined(separator: "\n")
    }
}

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

    package init(path: String) { self.path = path }

    /// Skips all but the last so many lines.
    package mutating func skip(toLast lines: Int) throws(EscaleError) {
        guard Files.exists(path) else { return }
        let file = try FileDescriptor(path, O_RDONLY)
        var position = try check("read \(path)") { lseek(file.number, 0, SEEK_END) }
        var found = 0
        while position > 0 {
            let start = max(0, position - 65536)
            try check("read \(path)") { lseek(file.number, start, SEEK_SET) }
            let block = try file.read(upTo: position - start)
            for index in block.indices.reversed() where block[index] == UInt8(ascii: "\n") {
                found += 1
                if found == lines + 1 {
                    offset = Int64(start + index + 1)
                    return
                }
            }
            position = start
        }
        offset = 0
    }

    /// The complete lines that were written since the last call.
    package mutating func next(limit: Int = 1 << 20) throws(EscaleError) -> [ContainerLogLine] {
        guard Files.exists(path) else { return [] }
        let file = try FileDescriptor(path, O_RDONLY)
        try check("read \(path)") { lseek(file.number, Int(offset), SEEK_SET) }
        let block = try file.read(upTo: limit)
        offset += Int64(block.count)
        unfinished += block
        var lines: [ContainerLogLine] = []
        var start = unfinished.startIndex
        while let end = unfinished[start...].firstIndex(of: UInt8(ascii: "\n")) {
            if let line = finish(unfinished[start..<end]) { lines.append(line) }
            start = end + 1
        }
        unfinished.removeSubrange(..<start)
        return lines
    }

    private mutating func finish(_ raw: ArraySlice<UInt8>) -> ContainerLogLine? {
        let fields = raw.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        guard fields.count >= 3, let at = Timestamp(String(decoding: fields[0], as: UTF8.self)),
            let stream = ContainerLogLine.Stream(rawValue: String(decoding: fields[1], as: UTF8.self))
        else { return nil }
        let text = fields.count > 3 ? Array(fields[3]) : []
        if fields[2].first == UInt8(ascii: "P") {
            parts[stream, default: []] += text
            return nil
        }
        return ContainerLogLine(at: at, stream: stream, text: (parts.removeValue(forKey: stream) ?? []) + text)
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

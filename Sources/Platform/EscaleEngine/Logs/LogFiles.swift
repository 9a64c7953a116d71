import EscaleCore
import EscaleSystem
import FoundationEssentials
import Glibc

/// The files of one container's log: `log`, which conmon writes, and before it `log.1`, `log.2`, … in this order.
///
/// Numbers only grow; the oldest files go. Every record is whole in one file, but a line's parts may be in two.
package struct LogFiles: Hashable, Sendable {
    /// The container's own directory.
    let directory: String

    package init(directory: String) { self.directory = directory }

    var current: String { "\(directory)/log" }
    private var startFile: String { "\(directory)/log.start" }
    func full(_ number: Int) -> String { "\(directory)/log.\(number)" }

    /// Where the log starts, since what was before it was removed.
    struct Start: Codable, Hashable, Sendable {
        /// The first file's number.
        var number = 1
        /// The streams whose first line lacks its beginning.
        var cut: [ContainerLogLine.Stream] = []
    }

    var start: Start {
        // Without the file, or one that can't be read, the log starts with the oldest file.
        guard let bytes = try? Files.read(startFile) else { return Start() }
        return (try? JSONDecoder().decode(Start.self, from: Data(bytes))) ?? Start()
    }

    /// The numbers of the full files, the oldest first.
    func fullNumbers(from start: Start) throws(EscaleError) -> [Int] {
        try Files.list(directory).compactMap { name in
            name.hasPrefix("log.") ? Int(name.dropFirst(4)) : nil
        }.filter { $0 >= start.number }.sorted()
    }

    /// Removes the files before the one of that number; from then on the log starts there.
    package func remove(before number: Int) throws {
        let old = try fullNumbers(from: Start(number: 0)).filter { $0 < number }
        guard !old.isEmpty else { return }
        let start = try JSONEncoder().encode(Start(number: number, cut: try openStreams(after: old)))
        var isWritten = false
        do {
            try Files.replace(startFile, start, mode: 0o600)
            isWritten = true
        } catch {
            // On a full disk, what is removed makes room for it.
            guard error.code.rawValue == "system.disk-full" else { throw error }
        }
        for number in old { try Files.remove(full(number)) }
        if !isWritten { try Files.replace(startFile, start, mode: 0o600) }
    }

    /// The streams whose last line goes on after the files: what their last records say.
    private func openStreams(after numbers: [Int]) throws(EscaleError) -> [ContainerLogLine.Stream] {
        var goesOn: [ContainerLogLine.Stream: Bool] = [:]
        for number in numbers.reversed() {
            try findLastRecords(of: full(number), &goesOn)
            if goesOn.count == ContainerLogLine.Stream.allCases.count { break }
        }
        // One of which there is no record at all is as it was before the files.
        for stream in start.cut where goesOn[stream] == nil { goesOn[stream] = true }
        return goesOn.filter(\.value).keys.sorted { $0.rawValue < $1.rawValue }
    }

    /// Looks from a file's end for the last record of each stream that isn't known yet.
    private func findLastRecords(
        of path: String, _ goesOn: inout [ContainerLogLine.Stream: Bool]
    ) throws(EscaleError) {
        let file = try FileDescriptor(path, O_RDONLY)
        var end = Int64(try check("read \(path)") { lseek(file.number, 0, SEEK_END) })
        while end > 0, goesOn.count < ContainerLogLine.Stream.allCases.count {
            let begin = max(0, end - (1 << 20))
            try check("read \(path)") { lseek(file.number, Int(begin), SEEK_SET) }
            let block = try file.readAll(upTo: Int(end - begin))
            // The record that began before the block is the next one's.
            let first = begin == 0 ? 0 : (block.firstIndex(of: newline).map { $0 + 1 } ?? block.count)
            for record in block[first...].split(separator: newline).reversed() {
                guard let entry = LogEntry(record), goesOn[entry.stream] == nil else { continue }
                goesOn[entry.stream] = entry.goesOn
                if goesOn.count == ContainerLogLine.Stream.allCases.count { break }
            }
            // A block without any line break is no log's.
            end = begin == 0 || first == block.count ? 0 : begin + Int64(first)
        }
    }
}

private let newline = UInt8(ascii: "\n")

extension FileDescriptor {
    /// Reads on until so many bytes are there, or the file's end.
    func readAll(upTo limit: Int) throws(EscaleError) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < limit {
            let piece = try read(upTo: limit - all.count)
            if piece.isEmpty { break }
            all += piece
        }
        return all
    }
}

import EscaleCore
import EscaleSystem
import Glibc
import Synchronization

/// A log's files as one run of bytes, held open: what is removed meanwhile can be read all the same. Blocks.
final class OpenLog: Sendable {
    /// Where something is in the files themselves, whoever has them open.
    struct Place: Codable, Hashable, Sendable {
        var number: Int
        var offset: Int64
    }

    private struct Part {
        let number: Int
        let file: FileDescriptor
        let start: Int64
        var end: Int64
        /// What was before it is missing: the lines that go on from there.
        let cut: [ContainerLogLine.Stream]?
    }

    private let files: LogFiles
    private let parts = Mutex<[Part]>([])

    /// What a reader that doesn't read holds at most of files that were removed.
    private static let backlog: Int64 = 1 << 30

    init(_ files: LogFiles) { self.files = files }

    /// Opens what came since the last time, and finds the end.
    ///
    /// - Returns: where it ends now.
    @discardableResult
    func refresh() throws(EscaleError) -> Int64 {
        try parts.withLock { (parts) throws(EscaleError) in
            let start = files.start
            while try !openMore(&parts, start) {}
            guard let last = parts.indices.last else { return 0 }
            parts[last].end = parts[last].start + (try Self.size(parts[last].file))
            let end = parts[last].end
            Self.bound(&parts, start)
            return end
        }
    }

    /// Lets go of the oldest files where too much is held that nobody else has any more.
    private static func bound(_ parts: inout [Part], _ start: LogFiles.Start) {
        var removed = parts.prefix { $0.number < start.number }.reduce(0) { $0 + $1.end - $1.start }
        while removed > backlog, let first = parts.first {
            removed -= first.end - first.start
            parts.removeFirst()
        }
    }

    /// `false` where the files changed meanwhile.
    private func openMore(_ parts: inout [Part], _ start: LogFiles.Start) throws(EscaleError) -> Bool {
        let full = try files.fullNumbers(from: start)
        let known = parts.last?.number ?? 0
        for number in full where number > known {
            guard let file = try Self.open(files.full(number)) else { return false }
            try append(file, number, start, to: &parts)
        }
        let current = max((full.last ?? 0) + 1, start.number)
        guard (parts.last?.number ?? 0) < current, let file = try Self.open(files.current) else { return true }
        // Between the two looks it may have become a full one.
        guard try files.fullNumbers(from: start).last == full.last else { return false }
        try append(file, current, start, to: &parts)
        return true
    }

    /// Adds a file. It exists, so the one before it is complete.
    private func append(
        _ file: FileDescriptor, _ number: Int, _ start: LogFiles.Start, to parts: inout [Part]
    ) throws(EscaleError) {
        var begin: Int64 = 0
        if let last = parts.indices.last {
            begin = parts[last].start + (try Self.size(parts[last].file))
            parts[last].end = begin
        }
        let follows = parts.last.map { $0.number + 1 == number } ?? (number == 1)
        let cut = follows ? nil : number == start.number ? start.cut : []
        parts.append(Part(number: number, file: file, start: begin, end: begin + (try Self.size(file)), cut: cut))
    }

    private static func open(_ path: String) throws(EscaleError) -> FileDescriptor? {
        do {
            return try FileDescriptor(path, O_RDONLY)
        } catch {
            if !Files.exists(path) { return nil }
            throw error
        }
    }

    private static func size(_ file: FileDescriptor) throws(EscaleError) -> Int64 {
        var info = stat()
        try check("look at a log") { fstat(file.number, &info) }
        return Int64(info.st_size)
    }

    /// Where it begins, as far as it is still held.
    var start: Int64 { parts.withLock { $0.first?.start ?? 0 } }

    /// Bytes of one file, from an offset that is held; and, where the file starts there without what was before it, the
    /// streams whose lines go on from what is missing.
    func read(at offset: Int64, upTo limit: Int) throws(EscaleError) -> (bytes: [UInt8], cut: [ContainerLogLine.Stream]?) {
        let part = parts.withLock { parts in parts.first { $0.start <= offset && offset < $0.end } }
        guard let part else { return ([], nil) }
        try check("read \(files.current)") { lseek(part.file.number, Int(offset - part.start), SEEK_SET) }
        let bytes = try part.file.read(upTo: min(limit, Int(part.end - offset)))
        return (bytes, offset == part.start ? part.cut : nil)
    }

    /// Lets go of the files that lie wholly before the offset.
    func release(before offset: Int64) {
        parts.withLock { parts in
            while let first = parts.first, parts.count > 1, first.end <= offset { parts.removeFirst() }
        }
    }

    /// The offset of a place; `nil` where its file isn't held.
    func offset(of place: Place) -> Int64? {
        parts.withLock { parts in
            parts.first { $0.number == place.number && place.offset <= $0.end - $0.start }.map { $0.start + place.offset }
        }
    }

    func place(of offset: Int64) -> Place? {
        parts.withLock { parts in
            parts.last { $0.start <= offset }.map { Place(number: $0.number, offset: offset - $0.start) }
        }
    }

    /// The offsets at which files begin that are held, the oldest first.
    var beginnings: [Int64] { parts.withLock { $0.map(\.start) } }
}

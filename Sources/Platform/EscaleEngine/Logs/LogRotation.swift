import EscaleCore
import EscaleSystem
import Glibc

/// Begins a new file for a log whose file is full, and removes the oldest ones. Blocks.
///
/// conmon writes a record at a time, and opens `log` anew when it is told to: what it writes before that goes to the file
/// that has been renamed. Told twice without need it would replace a file that it has begun, so it is told once.
struct LogRotation: Sendable {
    let files: LogFiles
    /// conmon's control pipe.
    let control: String
    let conmon: ProcessIdentity
    let settings: LogSettings

    /// What came of it.
    enum Outcome: Sendable {
        case settled
        /// conmon was told to begin a new file.
        case waiting
        /// It could not be told yet.
        case unasked
    }

    /// - Parameters:
    ///   - before: what the last time came to; `nil` after a start of the daemon.
    ///   - willRemove: called before files are removed.
    func run(after before: Outcome?, willRemove: () throws -> Void) throws -> Outcome {
        guard let limit = settings.fileSize?.rawValue else { return .settled }
        guard let size = try Self.size(files.current) else {
            guard try !files.fullNumbers(from: files.start).isEmpty else { return .settled }
            switch before {
            case .waiting: return .waiting
            case .settled, .unasked: return ask()
            // A former daemon may have told it, or not.
            case nil: return wasAsked() ? .waiting : ask()
            }
        }
        try trim(limit, willRemove)
        guard size >= limit else { return .settled }
        let start = files.start
        let number = max((try files.fullNumbers(from: start).last ?? 0) + 1, start.number)
        try check("rename \(files.current)") { rename(files.current, files.full(number)) }
        return ask()
    }

    /// Removes the oldest files, as long as the full ones without them hold as much as was asked for.
    private func trim(_ limit: Int64, _ willRemove: () throws -> Void) throws {
        let wanted = Int64(settings.fileCount - 1).multipliedReportingOverflow(by: limit).partialValue
        var kept: Int64 = 0
        var oldest: Int?
        let numbers = try files.fullNumbers(from: files.start)
        for number in numbers.reversed() {
            if kept >= wanted { break }
            kept += try Self.size(files.full(number)) ?? 0
            oldest = number
        }
        let first = oldest ?? (numbers.last.map { $0 + 1 } ?? 0)
        guard let before = numbers.first, before < first else { return }
        try willRemove()
        try files.remove(before: first)
    }

    // MARK: conmon

    private func ask() -> Outcome {
        guard let pipe = openControl() else { return .unasked }
        return write("2 0 0\n", to: pipe) ? .waiting : .unasked
    }

    /// Whether conmon has begun a new file, or is going to: everything that it was told is done when this returns.
    private func wasAsked() -> Bool {
        guard let pipe = openControl(), isRead(pipe) else { return true }
        // What it reads next it reads after having done what it read before; this means nothing to it.
        guard write("0 0 0\n", to: pipe), isRead(pipe) else { return true }
        return Files.exists(files.current)
    }

    private func openControl() -> FileDescriptor? {
        // Also for reading, so that opening doesn't wait for a reader.
        guard conmon.isAlive else { return nil }
        return try? FileDescriptor(control, O_RDWR | O_NONBLOCK)
    }

    private func write(_ text: String, to pipe: FileDescriptor) -> Bool {
        text.withCString { Glibc.write(pipe.number, $0, strlen($0)) } == text.utf8.count
    }

    /// Whether conmon has read everything, within a second.
    private func isRead(_ pipe: FileDescriptor) -> Bool {
        for _ in 0..<200 {
            var unread: Int32 = 0
            if ioctl(pipe.number, UInt(FIONREAD), &unread) == 0, unread == 0 { return true }
            usleep(5000)
        }
        return false
    }

    private static func size(_ path: String) throws(EscaleError) -> Int64? {
        var info = stat()
        if stat(path, &info) == 0 { return Int64(info.st_size) }
        if errno == ENOENT { return nil }
        throw Errno.current.during("look at \(path)")
    }
}

import EscaleCore
import EscaleSystem
import Glibc

/// The daemon's own log file, which is its standard error where `escale` started it: kept from growing without end.
struct OwnLog: Sendable {
    let path: String

    /// The file before this one is kept, too.
    private static let limit: Int64 = 10 << 20

    /// Looks every now and then, until the task is cancelled.
    func keepBounded() async throws {
        while true {
            try await Task.sleep(for: .seconds(30))
            // On a full disk, for example, it is tried again.
            try? await blocking { try bound() }
        }
    }

    /// Renames a file that has become long, and goes on in a new one. Does nothing where standard error is another file.
    func bound(limit: Int64 = limit) throws {
        var own = stat()
        var named = stat()
        guard fstat(2, &own) == 0, stat(path, &named) == 0, own.st_ino == named.st_ino, own.st_dev == named.st_dev,
            own.st_size >= limit
        else { return }
        try check("rename \(path)") { rename(path, "\(path).1") }
        let file = try FileDescriptor(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        try check("open \(path)") { dup2(file.number, 2) }
    }
}

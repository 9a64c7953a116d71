import EscaleCore
import EscaleSystem
import Glibc

/// The file that HAProxy appends to and holds open for as long as it lives.
///
/// It can't be renamed away, and copying it to truncate it would lose what comes in between. So what is old is cut
/// out at the front: the blocks go, places and everything behind stay, no line is ever lost. Its size as listed only
/// grows; what it takes (`du`) doesn't.
struct AccessLogFile: Sendable {
    let path: String
    /// What is kept at least.
    var keep = 64 << 20
    /// What has to have come together before anything is cut out.
    var step = 16 << 20

    /// Cuts out what is older than the last `keep` bytes. Nothing happens where the file system can't.
    func trim() async throws {
        guard let length = try await blocking({ try excess() }) else { return }
        // From util-linux, which every Debian has.
        let arguments = ["--punch-hole", "--offset", "0", "--length", "\(length)", path]
        _ = try await Command("/usr/bin/fallocate", arguments).run(timeout: .seconds(30))
    }

    private func excess() throws(EscaleError) -> Int? {
        guard Files.exists(path) else { return nil }
        let file = try FileDescriptor(path, O_RDONLY)
        let end = lseek(file.number, 0, SEEK_END) - keep
        let start = max(0, lseek(file.number, 0, Self.seekData))
        return end - start >= step ? end / step * step : nil
    }

    private static let seekData: Int32 = 3
}

import Glibc

/// The files that a load looks at; tests give one that is only in memory.
package struct ComposeFileSystem: Sendable {
    /// What became of reading a file.
    package enum Reading: Sendable {
        case contents([UInt8])
        case missing
        /// Why it can't be read, in words.
        case failed(String)
    }

    package var read: @Sendable (_ path: String) -> Reading
    package var exists: @Sendable (_ path: String) -> Bool

    package init(
        read: @escaping @Sendable (_ path: String) -> Reading,
        exists: @escaping @Sendable (_ path: String) -> Bool
    ) {
        self.read = read
        self.exists = exists
    }

    /// The machine's own files. Reading blocks, and stops with a failure beyond 16 MiB.
    package static let host = ComposeFileSystem(
        read: { path in readFile(path, limit: 16 << 20) },
        exists: { path in access(path, F_OK) == 0 }
    )

    /// What comes in on the process's standard input, up to its end. Blocks, and stops with a failure beyond 16 MiB.
    package static let standardInput: @Sendable () -> Reading = { readAll(STDIN_FILENO, limit: 16 << 20) }

    /// Exactly these files, by absolute path.
    package static func memory(_ files: [String: String]) -> Self {
        ComposeFileSystem(
            read: { path in files[path].map { .contents(Array($0.utf8)) } ?? .missing },
            exists: { path in files[path] != nil || files.keys.contains { $0.hasPrefix(path + "/") } }
        )
    }

    private static func readFile(_ path: String, limit: Int) -> Reading {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return failure() }
        defer { close(descriptor) }
        return readAll(descriptor, limit: limit)
    }

    private static func readAll(_ descriptor: Int32, limit: Int) -> Reading {
        var contents: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                return failure()
            }
            if count == 0 { return .contents(contents) }
            contents += buffer.prefix(count)
            if contents.count > limit { return .failed("it is larger than \(limit >> 20) MiB") }
        }
    }

    private static func failure() -> Reading {
        switch errno {
        case ENOENT, ENOTDIR: .missing
        case EISDIR: .failed("it is a directory")
        case EACCES: .failed("permission denied")
        default: .failed(String(cString: strerror(errno)))
        }
    }
}

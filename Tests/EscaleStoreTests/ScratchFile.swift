import Glibc

/// A database path in a directory of its own that is removed with it.
final class ScratchFile: Sendable {
    let directory: String
    var path: String { directory + "/state.db" }

    init() {
        directory = "/tmp/escale-store-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        mkdir(directory, 0o700)
    }

    deinit {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        rmdir(directory)
    }

    func write(_ text: String) {
        let descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
        _ = Glibc.write(descriptor, text, text.utf8.count)
        close(descriptor)
    }

    var mode: mode_t {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }
}

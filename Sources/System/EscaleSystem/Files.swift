package import EscaleCore
import Glibc

/// Whole-file and whole-tree operations. All block: they are for ``blocking(_:)`` or for start-up.
package enum Files {
    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    package static func isDirectory(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// The whole file. Works for files under `/proc`, whose size is given as zero.
    package static func read(_ path: String) throws(EscaleError) -> [UInt8] {
        let file = try FileDescriptor(path, O_RDONLY)
        var all: [UInt8] = []
        while true {
            let piece = try file.read()
            if piece.isEmpty { return all }
            all += piece
        }
    }

    /// The whole file as UTF-8; what is none is replaced.
    package static func readText(_ path: String) throws(EscaleError) -> String {
        String(decoding: try read(path), as: UTF8.self)
    }

    /// Writes over the file in place: for `/proc`, `/sys` and files nobody else reads meanwhile.
    package static func write(_ path: String, _ bytes: some Collection<UInt8>, mode: UInt32 = 0o644)
        throws(EscaleError)
    {
        try FileDescriptor(path, O_WRONLY | O_CREAT | O_TRUNC, mode: mode).write(bytes)
    }

    /// Replaces the file in one step: readers see the old text or the new one. Durable once it returns if `sync`.
    package static func replace(
        _ path: String, _ bytes: some Collection<UInt8>, mode: UInt32 = 0o644, sync: Bool = false
    ) throws(EscaleError) {
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max)).tmp"
        do throws(EscaleError) {
            let file = try FileDescriptor(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
            try file.write(bytes)
            if sync { try check("sync \(path)") { fsync(file.number) } }
            try check("replace \(path)") { rename(temporary, path) }
            // The new name is the directory's, which has to be written too.
            if sync { try synchronize(directoryOf: path) }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private static func synchronize(directoryOf path: String) throws(EscaleError) {
        let parent = path.lastIndex(of: "/").map { path[...$0] } ?? "."
        let directory = try FileDescriptor(String(parent), O_RDONLY | O_DIRECTORY)
        try check("sync \(parent)") { fsync(directory.number) }
    }

    /// A new directory in `/tmp` that nobody else may look into; whoever made it removes it.
    package static func makeTemporaryDirectory(_ name: String) throws(EscaleError) -> String {
        var template = Array("/tmp/\(name)-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Errno.current.during("make a directory in /tmp") }
        return String(cString: made)
    }

    /// Makes the directory and those above it; existing ones stay as they are.
    package static func createDirectories(_ path: String, mode: UInt32 = 0o755) throws(EscaleError) {
        if mkdir(path, mode) == 0 || (errno == EEXIST && isDirectory(path)) { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw Errno.current.during("make the directory \(path)")
        }
        try createDirectories(String(path[..<slash]), mode: mode)
        if mkdir(path, mode) != 0 && errno != EEXIST { throw Errno.current.during("make the directory \(path)") }
    }

    /// The names in a directory, sorted; empty where there is no such directory. A name that is no UTF-8 comes out
    /// repaired and can't be opened: for directories whose names are Escale's own or the kernel's.
    package static func list(_ path: String) throws(EscaleError) -> [String] {
        guard let stream = opendir(path) else {
            let error = Errno.current
            if error.code == ENOENT { return [] }
            throw error.during("list \(path)")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

extension Files {
    /// How many seconds ago the file was last written to; `nil` where there is none.
    package static func age(_ path: String) -> Int64? {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        return Int64(time(nil)) - Int64(info.st_mtim.tv_sec)
    }

    /// Where a symbolic link points; `nil` for anything else.
    package static func linkTarget(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

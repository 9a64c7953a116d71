package import EscaleCore
import Glibc

extension Files {
    /// Removes a file or a whole tree, following no link; one that isn't there is no error.
    ///
    /// Trees may be anybody's, such as what a container wrote: names in no encoding and paths of any length are fine.
    /// Throws `system.*` for what can't be removed, such as a mount point; what was removed until then is gone.
    package static func remove(_ path: String) throws(EscaleError) {
        if unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR { return }
        guard errno == EISDIR || errno == EPERM else { throw Errno.current.during("remove \(path)") }
        while rmdir(path) != 0 {
            if errno == ENOENT { return }
            guard errno == ENOTEMPTY || errno == EEXIST else { throw Errno.current.during("remove \(path)") }
            let top = try check("open \(path)") { open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
            guard try TreeRemoval(path: path, top: top).empty(top, depth: 0) else {
                throw Errno(ENOTEMPTY).during("remove \(path)")
            }
        }
    }
}

/// Empties a directory by descriptors, so that no path is too long and no link is followed.
private struct TreeRemoval {
    let path: String
    let top: Int32

    /// Deeper directories are moved to the top and emptied from there, so that few descriptors are open.
    private static let depthLimit = 32

    /// Removes what is in the directory, and closes the descriptor. Some may be left after moves to the top.
    ///
    /// - Returns: whether there was anything.
    @discardableResult
    func empty(_ directory: Int32, depth: Int) throws(EscaleError) -> Bool {
        guard let stream = fdopendir(directory) else {
            let error = Errno.current
            close(directory)
            throw error.during("list \(path)")
        }
        defer { closedir(stream) }
        var wasSomething = false
        while let entry = readdir(stream) {
            var failure: EscaleError?
            withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    do throws(EscaleError) {
                        if isDot(name) { return }
                        wasSomething = true
                        try remove(name, in: directory, depth: depth)
                    } catch {
                        failure = error
                    }
                }
            }
            if let failure { throw failure }
        }
        return wasSomething
    }

    private func remove(_ name: UnsafePointer<CChar>, in directory: Int32, depth: Int) throws(EscaleError) {
        if unlinkat(directory, name, 0) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw failure(name) }
        if unlinkat(directory, name, AT_REMOVEDIR) == 0 { return }
        guard errno == ENOTEMPTY || errno == EEXIST else { throw failure(name) }
        if depth == Self.depthLimit {
            let moved = ".removing-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
            if renameat(directory, name, top, moved) != 0 { throw failure(name) }
            return
        }
        let child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard child >= 0 else { throw failure(name) }
        try empty(child, depth: depth + 1)
        // One that got something new meanwhile is left to the next pass.
        if unlinkat(directory, name, AT_REMOVEDIR) != 0, errno != ENOENT, errno != ENOTEMPTY, errno != EEXIST {
            throw failure(name)
        }
    }

    private func failure(_ name: UnsafePointer<CChar>) -> EscaleError {
        Errno.current.during("remove \(String(cString: name)) in \(path)")
    }

    private func isDot(_ name: UnsafePointer<CChar>) -> Bool {
        name[0] == 46 && (name[1] == 0 || (name[1] == 46 && name[2] == 0))
    }
}

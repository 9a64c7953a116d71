import CArchive
package import EscaleCore
package import EscaleSystem
import Glibc

/// Calls the body with the bytes as a C string.
func withCPath<Value>(_ path: PathBytes, _ body: (UnsafePointer<CChar>) throws -> Value) rethrows -> Value {
    try (path.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { buffer in
        // A buffer with at least the terminating zero has an address.
        guard let start = buffer.baseAddress else {
            preconditionFailure("an array with an element has no address")
        }
        return try body(start)
    }
}

private func text(_ name: PathBytes) -> String { String(decoding: name, as: UTF8.self) }

/// An open directory, and operations on the names in it that follow no symbolic link.
package struct Directory: Sendable {
    package let descriptor: FileDescriptor

    /// Takes a descriptor of a directory; listing needs one opened for reading, the rest works with any.
    package init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    /// Opens a directory for reading; a final link is followed.
    package init(_ path: String) throws(EscaleError) {
        descriptor = try FileDescriptor(path, O_RDONLY | O_DIRECTORY)
    }

    /// The names in it, sorted by their bytes.
    package func names() throws(EscaleError) -> [PathBytes] {
        let copy = try check("list a directory") {
            openat(descriptor.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        guard let stream = fdopendir(copy) else {
            let error = Errno.current
            close(copy)
            throw error.during("list a directory")
        }
        defer { closedir(stream) }
        var names: [PathBytes] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [UInt8(ascii: ".")] && name != [UInt8(ascii: "."), UInt8(ascii: ".")] {
                names.append(name)
            }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// `nil` where there is no such name.
    package func status(_ name: PathBytes) throws(EscaleError) -> FileStatus? {
        var info = stat()
        let result = withCPath(name) { fstatat(descriptor.number, $0, &info, AT_SYMLINK_NOFOLLOW) }
        guard result == 0 else {
            let error = Errno.current
            if error.code == ENOENT { return nil }
            throw error.during("examine \(text(name))")
        }
        return FileStatus(info)
    }

    /// Opens the directory with that name; a link in its place is an error.
    package func directory(_ name: PathBytes) throws(EscaleError) -> Directory {
        Directory(try open(name, O_RDONLY | O_DIRECTORY))
    }

    /// Opens a file with that name; a link in its place is an error.
    package func open(_ name: PathBytes, _ flags: Int32, mode: UInt32 = 0o600) throws(EscaleError)
        -> FileDescriptor
    {
        FileDescriptor(
            owning: try check("open \(text(name))") {
                withCPath(name) { openat(descriptor.number, $0, flags | O_NOFOLLOW | O_CLOEXEC, mode) }
            }
        )
    }

    /// Where the symbolic link points.
    package func linkTarget(_ name: PathBytes) throws(EscaleError) -> PathBytes {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = try check("read the link \(text(name))") {
            withCPath(name) { readlinkat(descriptor.number, $0, &buffer, buffer.count) }
        }
        return buffer.prefix(count).map { UInt8(bitPattern: $0) }
    }

    /// Makes a directory that isn't there yet.
    package func makeDirectory(_ name: PathBytes, mode: UInt32 = 0o755) throws(EscaleError) {
        try check("make the directory \(text(name))") {
            withCPath(name) { mkdirat(descriptor.number, $0, mode) }
        }
    }

    package func makeSymbolicLink(_ name: PathBytes, to target: PathBytes) throws(EscaleError) {
        try check("make the link \(text(name))") {
            withCPath(name) { name in withCPath(target) { symlinkat($0, descriptor.number, name) } }
        }
    }

    /// Gives a file another name here.
    package func makeHardLink(_ name: PathBytes, to target: PathBytes, in other: Directory)
        throws(EscaleError)
    {
        try check("link \(text(name)) to \(text(target))") {
            withCPath(name) { name in
                withCPath(target) { linkat(other.descriptor.number, $0, descriptor.number, name, 0) }
            }
        }
    }

    /// Makes a device, a FIFO or, with character device 0:0, an overlayfs whiteout.
    package func makeNode(_ name: PathBytes, type: UInt32, major: UInt32 = 0, minor: UInt32 = 0)
        throws(EscaleError)
    {
        try check("make the device \(text(name))") {
            withCPath(name) { mknodat(descriptor.number, $0, type | 0o600, c_archive_device(major, minor)) }
        }
    }

    /// Removes the name and, if it is a directory, all below it. One that isn't there is no error.
    package func remove(_ name: PathBytes) throws(EscaleError) {
        if withCPath(name, { unlinkat(descriptor.number, $0, 0) }) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw Errno.current.during("remove \(text(name))") }
        let below = try directory(name)
        for child in try below.names() { try below.remove(child) }
        try check("remove \(text(name))") {
            withCPath(name) { unlinkat(descriptor.number, $0, AT_REMOVEDIR) }
        }
    }

    /// Sets owner, permissions, attributes and time of what has the name; permissions of a link are left alone.
    package func apply(_ entry: TreeEntry, to name: PathBytes, time: Bool = true) throws(EscaleError) {
        try check("change the owner of \(text(name))") {
            withCPath(name) { fchownat(descriptor.number, $0, entry.owner, entry.group, AT_SYMLINK_NOFOLLOW) }
        }
        if case .symbolicLink = entry.kind {
        } else {
            try check("change the mode of \(text(name))") {
                withCPath(name) { fchmodat(descriptor.number, $0, entry.permissions, 0) }
            }
        }
        for attribute in entry.attributes { try set(attribute, on: name) }
        if time { try setTime(entry.modified, of: name) }
    }

    package func setTime(_ time: FileTime, of name: PathBytes) throws(EscaleError) {
        let stamp = timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
        try check("set the time of \(text(name))") {
            [stamp, stamp].withUnsafeBufferPointer { times in
                withCPath(name) { utimensat(descriptor.number, $0, times.baseAddress, AT_SYMLINK_NOFOLLOW) }
            }
        }
    }
}

import CEscaleLinux
package import EscaleCore
import Glibc

/// A directory that paths are resolved in as if it were `/`: neither `..` nor a symbolic link leads out of it.
///
/// For trees whose content somebody else decides: layers, build contexts, containers' root file systems.
package struct RootedDirectory: Sendable {
    package let descriptor: FileDescriptor

    /// Throws `system.*` where it isn't a directory.
    package init(_ path: String) throws(EscaleError) {
        descriptor = try FileDescriptor(path, O_RDONLY | O_DIRECTORY)
    }

    /// Opens a file inside, close-on-exec; the path's bytes are the kernel's, in no particular encoding.
    package func open(_ path: [UInt8], _ flags: Int32, mode: UInt32 = 0o644) throws(EscaleError)
        -> FileDescriptor
    {
        FileDescriptor(owning: try check(action(path)) { openInRoot(path, flags, mode) })
    }

    /// ``open(_:_:mode:)``, and `nil` where there is nothing with that path.
    package func openIfPresent(_ path: [UInt8], _ flags: Int32) throws(EscaleError) -> FileDescriptor? {
        let number = openInRoot(path, flags, 0)
        if number >= 0 { return FileDescriptor(owning: number) }
        let error = Errno.current
        if error.code == ENOENT || error.code == ENOTDIR { return nil }
        throw error.during(action(path))
    }

    private func action(_ path: [UInt8]) -> String {
        let text = String(decoding: path, as: UTF8.self)
        return "open \(text.count > 200 ? "\(text.prefix(90))…\(text.suffix(90))" : text)"
    }

    private func openInRoot(_ path: [UInt8], _ flags: Int32, _ mode: UInt32) -> Int32 {
        let relative = path.isEmpty ? [UInt8(ascii: ".")] : path
        return (relative + [0]).withUnsafeBytes { bytes in
            c_escale_open_in_root(
                descriptor.number,
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                flags | O_CLOEXEC,
                mode
            )
        }
    }

    /// ``open(_:_:mode:)`` for a path in UTF-8.
    package func open(_ path: String, _ flags: Int32, mode: UInt32 = 0o644) throws(EscaleError)
        -> FileDescriptor
    {
        try open(Array(path.utf8), flags, mode: mode)
    }
}

extension RootedDirectory {
    /// Opens without reading or waiting, whatever it is: for its status and its path only. `O_PATH`, which the Glibc
    /// module leaves out.
    package static let pathOnly: Int32 = 0o10000000
}

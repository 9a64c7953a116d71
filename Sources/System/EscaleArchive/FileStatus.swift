import CArchive
package import EscaleCore
package import EscaleSystem
import Glibc

/// What lstat(2) says of a file.
package struct FileStatus: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case file, directory, symbolicLink, characterDevice, blockDevice, fifo, socket
    }

    /// The file itself, whatever name it has.
    package struct Identity: Hashable, Sendable {
        package let device: UInt64
        package let inode: UInt64
    }

    package let kind: Kind
    package let permissions: UInt32
    package let owner: UInt32
    package let group: UInt32
    package let size: Int64
    package let modified: FileTime
    package let changed: FileTime
    package let links: UInt64
    package let identity: Identity
    /// Zero for what is no device.
    package let major: UInt32
    package let minor: UInt32

    init(_ info: stat) {
        kind =
            switch info.st_mode & S_IFMT {
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            default: .file
            }
        permissions = UInt32(info.st_mode) & 0o7777
        owner = info.st_uid
        group = info.st_gid
        size = Int64(info.st_size)
        modified = FileTime(seconds: Int64(info.st_mtim.tv_sec), nanoseconds: Int64(info.st_mtim.tv_nsec))
        changed = FileTime(seconds: Int64(info.st_ctim.tv_sec), nanoseconds: Int64(info.st_ctim.tv_nsec))
        links = UInt64(info.st_nlink)
        identity = Identity(device: UInt64(info.st_dev), inode: UInt64(info.st_ino))
        let isDevice = kind == .characterDevice || kind == .blockDevice
        major = isDevice ? c_archive_major(UInt(info.st_rdev)) : 0
        minor = isDevice ? c_archive_minor(UInt(info.st_rdev)) : 0
    }

    /// Of a path, following no final link; `nil` where there is nothing.
    package init?(_ path: String) throws(EscaleError) {
        var info = stat()
        guard lstat(path, &info) == 0 else {
            let error = Errno.current
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw error.during("examine \(path)")
        }
        self.init(info)
    }

    /// Of an open file.
    package init(_ file: FileDescriptor) throws(EscaleError) {
        var info = stat()
        try check("examine an open file") { fstat(file.number, &info) }
        self.init(info)
    }

    /// Whether it is the mark with which overlayfs hides what lies below.
    package var isWhiteout: Bool { kind == .characterDevice && major == 0 && minor == 0 }
}

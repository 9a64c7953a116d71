import CArchive
import EscaleCore
package import EscaleSystem
import Glibc

/// Copies a part of a file, in the kernel where it can.
package func copyRange(_ source: FileDescriptor, from offset: Int64, count: Int64, to target: FileDescriptor)
    throws
{
    var position = offset
    var rest = count
    while rest > 0 {
        let copied = Int64(
            c_archive_copy_range(source.number, &position, target.number, UInt(min(rest, 1 << 30)))
        )
        if copied > 0 {
            rest -= copied
            continue
        }
        let error = Errno.current
        guard copied < 0, [EXDEV, EINVAL, ENOSYS, EOPNOTSUPP].contains(error.code) else {
            throw copied == 0 ? EscaleError.truncatedArchive("the archive") : error.during("copy a blob")
        }
        let plain = FileSource(source, name: "the archive", from: position, count: rest)
        while true {
            let piece = try plain.next()
            if piece.isEmpty { return }
            try target.write(piece)
        }
    }
}

import CArchive
import EscaleCore

extension EscaleError {
    static func unsafePath(_ path: String) -> Self {
        Self(
            Code("archive.unsafe"),
            "the archive has an entry outside of its root: \(path)",
            hint: "the archive is damaged or was made to do harm; don't use it"
        )
    }

    /// The library's own words for what went wrong last.
    static func archive(_ action: String, _ handle: OpaquePointer) -> Self {
        let reason = archive_error_string(handle).map { String(cString: $0) } ?? "unknown reason"
        return Self(
            Code("archive.unreadable"),
            "can't \(action): \(reason)",
            hint: "a tar archive is wanted, plain or compressed with gzip, zstd or xz"
        )
    }
}

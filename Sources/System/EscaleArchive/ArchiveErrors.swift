import CArchive
package import EscaleCore

extension EscaleError {
    /// - Parameter reason: what is wrong with the entry.
    static func unsafePath(_ path: String, _ reason: String = "it lies outside of its root") -> Self {
        Self(
            Code("archive.unsafe"),
            "the archive has an entry that can't be unpacked: \(shortened(path)): \(reason)",
            hint: "the archive is damaged or was made to do harm; don't use it"
        )
    }

    package static func truncatedArchive(_ name: String) -> Self {
        Self(
            Code("archive.unreadable"),
            "\(name) is truncated: it ends before its content does",
            hint: "fetch or make it again"
        )
    }

    static func damagedEntry(_ name: String) -> Self {
        Self(Code("archive.unreadable"), "\(name) is damaged: an entry has no readable name")
    }

    /// More files, or larger ones, than a layer may have.
    package static func archiveTooLarge(_ name: String, _ reason: String = "a file of it is larger than a disk") -> Self {
        Self(
            Code("archive.too-large"),
            "\(name) is too large: \(reason)",
            hint: "the archive is damaged or was made to do harm; don't use it"
        )
    }

    /// The library's own words for what went wrong last.
    static func archive(_ action: String, _ handle: OpaquePointer) -> Self {
        let reason = archive_error_string(handle).map { String(cString: $0) } ?? "it is truncated or damaged"
        return Self(
            Code("archive.unreadable"),
            "can't \(action): \(reason)",
            hint: "a tar archive is wanted, plain or compressed with gzip, zstd or xz"
        )
    }
}

/// A path that fits into a message.
func shortened(_ path: String) -> String {
    path.count <= 200 ? path : "\(path.prefix(90))…\(path.suffix(90))"
}

import CSQLite
package import EscaleCore
import Glibc

extension EscaleError.Code {
    /// The file is no SQLite database, or is damaged.
    package static let storeCorrupt = Self("store.corrupt")
    /// Another process kept the database locked for longer than the busy time-out.
    package static let storeBusy = Self("store.busy")
    /// No space is left on the file system.
    package static let storeFull = Self("store.full")
    /// The file can't be opened, or not for writing.
    package static let storeUnavailable = Self("store.unavailable")
    /// The disk failed to read or write.
    package static let storeInputOutput = Self("store.io")
    /// A unique, foreign key, check or not-null constraint refused the change.
    package static let storeConstraint = Self("store.constraint")
    /// The database was written by a newer Escale.
    package static let storeNewer = Self("store.newer")
    /// A result has no such column, or it holds another type.
    package static let storeColumn = Self("store.column")
    /// Everything else that SQLite refuses, such as a mistake in a statement.
    package static let storeFailed = Self("store.failed")
}

extension EscaleError {
    /// What SQLite's last failure on this connection means for the person who runs Escale.
    ///
    /// - Parameter result: the (extended) result code that the failing call returned.
    static func store(_ result: Int32, handle: OpaquePointer?, path: String, sql: String? = nil) -> Self {
        let reason =
            handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(result))
        let systemError = handle.map { sqlite3_system_errno($0) } ?? 0
        let cause = systemError != 0 ? "\(reason): \(String(cString: strerror(systemError)))" : reason
        var details = [Detail("sqlite", "\(reason) (\(result))")]
        if let sql { details.append(Detail("statement", sql)) }
        switch result & 0xff {
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return Self(
                .storeCorrupt,
                "the database \(path) is damaged or is not a database",
                hint: "keep a copy of it and its -wal file, then put a backup in its place or move it away",
                details: details
            )
        case SQLITE_BUSY, SQLITE_LOCKED:
            return Self(
                .storeBusy,
                "the database \(path) is locked by another process",
                hint: "one escaled owns a state directory: find the other with `fuser \(path)` and stop it",
                details: details
            )
        case SQLITE_FULL:
            return Self(
                .storeFull,
                "no space is left for the database \(path)",
                hint:
                    "free space on its file system (`df -h \(path)` shows it) and try again; nothing was changed",
                details: details
            )
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH, SQLITE_READONLY:
            return Self(
                .storeUnavailable,
                "cannot open the database \(path) for writing: \(cause)",
                hint: "check that its directory exists and that this user may write to it",
                details: details
            )
        case SQLITE_IOERR:
            return Self(
                .storeInputOutput,
                "the disk failed under the database \(path): \(cause)",
                hint: "look for disk errors with `dmesg`",
                details: details
            )
        case SQLITE_CONSTRAINT:
            return Self(
                .storeConstraint,
                "the database \(path) refused a change: \(reason)",
                details: details
            )
        default:
            return Self(.storeFailed, "the database \(path) failed: \(reason)", details: details)
        }
    }

    static func storeCannotCreate(_ path: String, _ reason: Int32) -> Self {
        Self(
            .storeUnavailable,
            "cannot open the database \(path): \(String(cString: strerror(reason)))",
            hint: "check that its directory exists and that this user may write to it"
        )
    }

    static func storeNewer(path: String, found: Int64, known: Int) -> Self {
        Self(
            .storeNewer,
            "the database \(path) was written by a newer version of Escale (schema \(found), this one knows \(known))",
            hint: "install that version again, or restore the backup from before the upgrade"
        )
    }

    static func noColumn(_ column: String, _ columns: [String]) -> Self {
        Self(.storeColumn, "the result has no column \"\(column)\", only \(columns.joined(separator: ", "))")
    }

    static func wrongType(_ column: String, _ expected: String, _ found: DatabaseValue) -> Self {
        Self(.storeColumn, "the column \"\(column)\" holds \(found.kind) where \(expected) was expected")
    }
}

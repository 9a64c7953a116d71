/// A value as SQLite stores it.
package enum DatabaseValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    /// The storage class's name in errors.
    var kind: String {
        switch self {
        case .null: "null"
        case .integer: "integer"
        case .real: "real"
        case .text: "text"
        case .blob: "blob"
        }
    }
}

/// What may stand for a `?` in a statement. Typed identifiers are bound by their `rawValue`.
package protocol DatabaseBindable: Sendable {
    var databaseValue: DatabaseValue { get }
}

extension DatabaseValue: DatabaseBindable {
    package var databaseValue: DatabaseValue { self }
}

extension String: DatabaseBindable {
    package var databaseValue: DatabaseValue { .text(self) }
}

extension Int64: DatabaseBindable {
    package var databaseValue: DatabaseValue { .integer(self) }
}

extension Int: DatabaseBindable {
    package var databaseValue: DatabaseValue { .integer(Int64(self)) }
}

/// Stored as 0 or 1.
extension Bool: DatabaseBindable {
    package var databaseValue: DatabaseValue { .integer(self ? 1 : 0) }
}

extension Double: DatabaseBindable {
    package var databaseValue: DatabaseValue { .real(self) }
}

/// Stored as a blob.
extension [UInt8]: DatabaseBindable {
    package var databaseValue: DatabaseValue { .blob(self) }
}

/// `nil` is stored as null.
extension Optional: DatabaseBindable where Wrapped: DatabaseBindable {
    package var databaseValue: DatabaseValue { self?.databaseValue ?? .null }
}

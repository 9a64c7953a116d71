package import EscaleCore

/// One row of a result: a copy, valid for as long as it is kept.
///
/// Accessors throw `store.column` for a column that isn't in the result or holds another type; nothing is
/// converted. Where null is a possible value, the `optional…` accessors give `nil` for it.
package struct Row: Sendable {
    /// Names in the order of the result, shared by its rows.
    package let columns: [String]
    package let values: [DatabaseValue]

    package func text(_ column: String) throws(EscaleError) -> String {
        guard let value = try optionalText(column) else { throw .wrongType(column, "text", .null) }
        return value
    }

    package func int64(_ column: String) throws(EscaleError) -> Int64 {
        guard let value = try optionalInt64(column) else { throw .wrongType(column, "integer", .null) }
        return value
    }

    /// A real; an integer's value as well.
    package func double(_ column: String) throws(EscaleError) -> Double {
        switch try self[column] {
        case .real(let value): return value
        case .integer(let value): return Double(value)
        case let other: throw .wrongType(column, "real", other)
        }
    }

    /// An integer other than 0 is true.
    package func bool(_ column: String) throws(EscaleError) -> Bool { try int64(column) != 0 }

    package func blob(_ column: String) throws(EscaleError) -> [UInt8] {
        guard let value = try optionalBlob(column) else { throw .wrongType(column, "blob", .null) }
        return value
    }

    package func optionalText(_ column: String) throws(EscaleError) -> String? {
        switch try self[column] {
        case .text(let value): return value
        case .null: return nil
        case let other: throw .wrongType(column, "text", other)
        }
    }

    package func optionalInt64(_ column: String) throws(EscaleError) -> Int64? {
        switch try self[column] {
        case .integer(let value): return value
        case .null: return nil
        case let other: throw .wrongType(column, "integer", other)
        }
    }

    package func optionalBlob(_ column: String) throws(EscaleError) -> [UInt8]? {
        switch try self[column] {
        case .blob(let value): return value
        case .null: return nil
        case let other: throw .wrongType(column, "blob", other)
        }
    }

    package func isNull(_ column: String) throws(EscaleError) -> Bool { try self[column] == .null }

    /// The value as it is stored.
    package subscript(column: String) -> DatabaseValue {
        get throws(EscaleError) {
            guard let index = columns.firstIndex(of: column) else { throw .noColumn(column, columns) }
            return values[index]
        }
    }
}

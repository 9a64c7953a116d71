import CSQLite

/// A prepared statement that ``StatementCache`` owns; never outlives its connection.
struct Statement {
    let pointer: OpaquePointer

    var parameterCount: Int { Int(sqlite3_bind_parameter_count(pointer)) }

    var columns: [String] {
        (0..<sqlite3_column_count(pointer)).map { index in
            sqlite3_column_name(pointer, index).map { String(cString: $0) } ?? ""
        }
    }

    /// The current row's values.
    var values: [DatabaseValue] { (0..<sqlite3_column_count(pointer)).map { value(at: $0) } }

    /// Makes it ready for the next use and lets go of locks and bound memory.
    func reset() {
        sqlite3_reset(pointer)  // repeats the error of the last step, which was reported already
        sqlite3_clear_bindings(pointer)
    }

    /// Binds a parameter, counted from 1; the value is copied. Gives SQLite's result code.
    func bind(_ value: DatabaseValue, at index: Int32) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(pointer, index)
        case .integer(let number): return sqlite3_bind_int64(pointer, index, number)
        case .real(let number): return sqlite3_bind_double(pointer, index, number)
        case .text(let text):
            let bytes = text.utf8.count
            return text.withCString { c_sqlite_bind_text(pointer, index, $0, UInt64(bytes)) }
        case .blob(let bytes):
            return bytes.withUnsafeBytes {
                c_sqlite_bind_blob(pointer, index, $0.baseAddress, UInt64($0.count))
            }
        }
    }

    private func value(at index: Int32) -> DatabaseValue {
        switch sqlite3_column_type(pointer, index) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(pointer, index))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(pointer, index))
        case SQLITE_TEXT:
            let start = sqlite3_column_text(pointer, index)
            let count = Int(sqlite3_column_bytes(pointer, index))
            return .text(String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self))
        case SQLITE_BLOB:
            let start = sqlite3_column_blob(pointer, index)
            let count = Int(sqlite3_column_bytes(pointer, index))
            return .blob(Array(UnsafeRawBufferPointer(start: start, count: count)))
        default: return .null
        }
    }
}

/// Prepared statements by their text; the one that was used longest ago makes room for a new one.
struct StatementCache {
    static let limit = 64
    private var statements: [String: (statement: Statement, lastUse: UInt64)] = [:]
    private var uses: UInt64 = 0

    subscript(sql: String) -> Statement? {
        mutating get {
            uses += 1
            statements[sql]?.lastUse = uses
            return statements[sql]?.statement
        }
    }

    mutating func insert(_ statement: Statement, for sql: String) {
        if statements.count >= Self.limit,
            let oldest = statements.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            sqlite3_finalize(oldest.value.statement.pointer)
            statements[oldest.key] = nil
        }
        uses += 1
        statements[sql] = (statement, uses)
    }

    func removeAll() {
        for entry in statements.values { sqlite3_finalize(entry.statement.pointer) }
    }
}

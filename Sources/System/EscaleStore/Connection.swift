import CSQLite
package import EscaleCore
import Glibc

/// An open SQLite file with its prepared statements. ``Database`` lends it to one caller at a time.
///
/// `@unchecked Sendable`: it can't be copied and every operation is `mutating`, so whoever holds it is alone
/// with the handle; SQLite itself doesn't mind which thread that is.
package struct Connection: ~Copyable, @unchecked Sendable {
    private let handle: OpaquePointer
    private let path: String
    private var cache = StatementCache()

    private init(handle: OpaquePointer, path: String) {
        self.handle = handle
        self.path = path
    }

    /// Opens the file, or creates it with mode 0600, and sets the connection up.
    static func open(path: String, busyTimeout: Duration) throws(EscaleError) -> Connection {
        // Created here and not by SQLite so that nobody else may read it; the -wal and -shm files follow it.
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .storeCannotCreate(path, errno) }
        close(descriptor)

        var opened: OpaquePointer?
        let result = sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil)
        guard result == SQLITE_OK, let handle = opened else {
            defer { sqlite3_close_v2(opened) }
            throw .store(result, handle: opened, path: path)
        }
        var connection = Connection(handle: handle, path: path)
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, Int32(clamping: busyTimeout.nanoseconds / 1_000_000))
        try connection.run("PRAGMA journal_mode = WAL")
        try connection.run("PRAGMA synchronous = NORMAL")
        try connection.run("PRAGMA foreign_keys = ON")
        return connection
    }

    deinit {
        cache.removeAll()
        sqlite3_close_v2(handle)
    }

    /// Runs one statement to its end and drops its rows.
    ///
    /// - Returns: the number of rows that it inserted, changed or deleted itself, without cascades and
    ///   triggers.
    @discardableResult
    package mutating func execute(_ sql: String, _ bindings: any DatabaseBindable...) throws(EscaleError)
        -> Int
    {
        try execute(sql, bindings)
    }

    /// Runs one statement to its end and gives all its rows.
    package mutating func query(_ sql: String, _ bindings: any DatabaseBindable...) throws(EscaleError)
        -> [Row]
    {
        try query(sql, bindings)
    }

    mutating func execute(_ sql: String, _ bindings: [any DatabaseBindable]) throws(EscaleError) -> Int {
        let statement = try bound(sql, bindings)
        defer { statement.reset() }
        let before = sqlite3_total_changes64(handle)
        while try step(statement, sql) {}
        // SQLite's own count keeps the last change's value through statements that change nothing.
        return sqlite3_total_changes64(handle) == before ? 0 : Int(sqlite3_changes64(handle))
    }

    mutating func query(_ sql: String, _ bindings: [any DatabaseBindable]) throws(EscaleError) -> [Row] {
        let statement = try bound(sql, bindings)
        defer { statement.reset() }
        let columns = statement.columns
        var rows: [Row] = []
        while try step(statement, sql) { rows.append(Row(columns: columns, values: statement.values)) }
        return rows
    }

    /// Runs any number of statements that take and give no values; not cached.
    mutating func run(_ script: String) throws(EscaleError) {
        let result = sqlite3_exec(handle, script, nil, nil, nil)
        guard result == SQLITE_OK else { throw .store(result, handle: handle, path: path, sql: script) }
    }

    /// Takes back a transaction, unless SQLite already did that by itself (disk full, I/O error).
    mutating func rollBack() {
        guard sqlite3_get_autocommit(handle) == 0 else { return }
        _ = try? run("ROLLBACK")  // best effort: the error that led here is the one to report
    }

    private mutating func bound(_ sql: String, _ bindings: [any DatabaseBindable]) throws(EscaleError)
        -> Statement
    {
        let statement = try prepared(sql)
        guard statement.parameterCount == bindings.count else {
            throw EscaleError(
                .storeFailed,
                "a statement for \(path) takes \(statement.parameterCount) values and got \(bindings.count)",
                details: [.init("statement", sql)]
            )
        }
        for (index, binding) in bindings.enumerated() {
            let result = statement.bind(binding.databaseValue, at: Int32(index + 1))
            guard result == SQLITE_OK else {
                statement.reset()
                throw .store(result, handle: handle, path: path, sql: sql)
            }
        }
        return statement
    }

    private mutating func prepared(_ sql: String) throws(EscaleError) -> Statement {
        if let statement = cache[sql] { return statement }
        var pointer: OpaquePointer?
        var isWhole = true
        let result = sql.withCString { start in
            var rest: UnsafePointer<CChar>?
            let result = sqlite3_prepare_v3(
                handle,
                start,
                -1,
                UInt32(SQLITE_PREPARE_PERSISTENT),
                &pointer,
                &rest
            )
            isWhole = rest.map { String(cString: $0).allSatisfy { $0.isWhitespace || $0 == ";" } } ?? true
            return result
        }
        guard result == SQLITE_OK else { throw .store(result, handle: handle, path: path, sql: sql) }
        guard let pointer, isWhole else {
            sqlite3_finalize(pointer)
            throw EscaleError(
                .storeFailed,
                "exactly one statement at a time can be run on \(path)",
                details: [.init("statement", sql)]
            )
        }
        let statement = Statement(pointer: pointer)
        cache.insert(statement, for: sql)
        return statement
    }

    /// Whether there is a row.
    private func step(_ statement: Statement, _ sql: String) throws(EscaleError) -> Bool {
        switch sqlite3_step(statement.pointer) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let result: throw .store(result, handle: handle, path: path, sql: sql)
        }
    }
}

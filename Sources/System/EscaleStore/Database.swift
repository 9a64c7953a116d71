package import EscaleCore
import Synchronization

/// A SQLite file with one connection, used by one caller at a time.
///
/// Write-ahead log, `synchronous=NORMAL`: a commit outlives a killed process at once and a power failure as
/// of the next checkpoint. Foreign keys are enforced. The file is created with mode 0600. Calls block their
/// thread, for well under a millisecond as a rule; the exceptions are a checkpoint and a second process that
/// holds the lock.
package final class Database: Sendable {
    package let path: String
    private let connection: Mutex<Connection>

    /// Opens the file, or creates it; its directory must exist.
    ///
    /// - Parameter busyTimeout: how long to wait for another process's lock.
    /// - Throws: `store.unavailable`, `store.corrupt` for a file that is no database, `store.busy`.
    package init(path: String, busyTimeout: Duration = .seconds(5)) throws(EscaleError) {
        self.path = path
        connection = Mutex(try Connection.open(path: path, busyTimeout: busyTimeout))
    }

    /// Runs one statement in a transaction of its own and drops its rows.
    ///
    /// - Returns: the number of rows that it inserted, changed or deleted.
    @discardableResult
    package func execute(_ sql: String, _ bindings: any DatabaseBindable...) throws(EscaleError) -> Int {
        try connection.withLock { (connection) throws(EscaleError) in try connection.execute(sql, bindings) }
    }

    /// Runs one statement and gives all its rows; `RETURNING` works.
    package func query(_ sql: String, _ bindings: any DatabaseBindable...) throws(EscaleError) -> [Row] {
        try connection.withLock { (connection) throws(EscaleError) in try connection.query(sql, bindings) }
    }

    /// Runs the body in one write transaction: all of it is stored, or nothing when it throws.
    ///
    /// The body uses the connection that it is given; calling this database from within would wait for
    /// itself.
    /// - Throws: the body's errors as they are, and `store.*` where the transaction can't be begun or
    ///   committed.
    package func transaction<Outcome: Sendable>(
        _ body: (inout Connection) throws -> Outcome
    ) throws -> Outcome {
        try connection.withLock { connection in
            try connection.run("BEGIN IMMEDIATE")
            do {
                let outcome = try body(&connection)
                try connection.run("COMMIT")
                return outcome
            } catch {
                connection.rollBack()
                throw error
            }
        }
    }

    /// Brings the schema to `steps.count`: runs those that this file hasn't seen, all in one transaction.
    ///
    /// Steps are scripts, never change once released, and don't begin or commit transactions. Foreign keys
    /// are off while they run, so a table may be rebuilt, and are checked before the commit.
    /// - Throws: `store.newer` when the file has seen more steps than these; then nothing was changed.
    package func migrate(_ steps: [String]) throws(EscaleError) {
        try connection.withLock { (connection) throws(EscaleError) in
            guard try connection.pendingSteps(steps, path) != nil else { return }
            try connection.run("PRAGMA foreign_keys = OFF")
            do throws(EscaleError) {
                try connection.run("BEGIN IMMEDIATE")
                // Asked again: another process may have migrated the file before the transaction began.
                for step in try connection.pendingSteps(steps, path) ?? [] { try connection.run(step) }
                if let broken = try connection.query("PRAGMA foreign_key_check").first {
                    throw EscaleError(
                        .storeConstraint,
                        "the new schema of \(path) would leave references that lead nowhere",
                        details: [.init("table", try broken.text("table"))]
                    )
                }
                try connection.run("PRAGMA user_version = \(steps.count)")
                try connection.run("COMMIT")
            } catch {
                connection.rollBack()
                try connection.run("PRAGMA foreign_keys = ON")
                throw error
            }
            try connection.run("PRAGMA foreign_keys = ON")
        }
    }
}

extension Connection {
    /// The steps that this file hasn't seen; `nil` where there are none.
    fileprivate mutating func pendingSteps(_ steps: [String], _ path: String) throws(EscaleError)
        -> ArraySlice<String>?
    {
        guard let row = try query("PRAGMA user_version").first else { return nil }
        let version = try row.int64("user_version")
        guard version <= steps.count else {
            throw .storeNewer(path: path, found: version, known: steps.count)
        }
        return version == steps.count ? nil : steps[Int(max(0, version))...]
    }
}

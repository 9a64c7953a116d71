import EscaleCore
import EscaleStore
import Testing

@Suite struct DatabaseTests {
    let scratch = ScratchFile()

    func open() throws -> Database {
        let database = try Database(path: scratch.path)
        try database.execute(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB, size REAL)"
        )
        return database
    }

    @Test func valuesComeBackAsTheyWere() throws {
        let database = try open()
        let bytes: [UInt8] = [0, 1, 255, 0]
        #expect(try database.execute("INSERT INTO t VALUES (?, ?, ?, ?)", Int64.max, "a\0ü", bytes, 1.5) == 1)
        #expect(try database.execute("INSERT INTO t VALUES (2, ?, ?, ?)", "", [UInt8](), nil as Double?) == 1)
        let rows = try database.query("SELECT * FROM t ORDER BY id DESC")
        try #require(rows.count == 2)
        #expect(try rows[0].int64("id") == .max)
        #expect(try rows[0].text("name") == "a\0ü")
        #expect(try rows[0].blob("data") == bytes)
        #expect(try rows[0].double("size") == 1.5)
        #expect(try rows[1].text("name").isEmpty)
        #expect(try rows[1].blob("data").isEmpty)
        #expect(try rows[1].isNull("size"))
    }

    @Test func wrongColumnsAndTypesAreNamed() throws {
        let database = try open()
        try database.execute("INSERT INTO t (id, name) VALUES (1, NULL)")
        let row = try #require(try database.query("SELECT id, name FROM t").first)
        #expect(try row.optionalText("name") == nil)
        for attempt in [{ try row.text("name") }, { try row.text("id") }, { try row.text("nome") }] {
            #expect(throws: EscaleError.self) { _ = try attempt() }
        }
    }

    @Test func aTransactionIsAllOrNothing() throws {
        let database = try open()
        struct Refused: Error {}
        #expect(throws: Refused.self) {
            try database.transaction { connection in
                try connection.execute("INSERT INTO t (name) VALUES ('a')")
                throw Refused()
            }
        }
        let count = try database.transaction { connection in
            try connection.execute("INSERT INTO t (name) VALUES (?)", "b")
            return try connection.query("SELECT * FROM t").count
        }
        #expect(count == 1)
    }

    @Test func aConstraintIsNamedAndTheStatementStaysUsable() throws {
        let database = try open()
        let insert = "INSERT INTO t (name) VALUES (?)"
        try database.execute(insert, "a")
        let error = #expect(throws: EscaleError.self) { try database.execute(insert, "a") }
        #expect(error?.code == .storeConstraint)
        #expect(error?.message.contains("t.name") == true)
        try database.execute(insert, "b")
        #expect(try database.query("SELECT * FROM t").count == 2)
    }

    @Test func foreignKeysAreEnforced() throws {
        let database = try open()
        try database.execute("CREATE TABLE u (t INTEGER REFERENCES t (id))")
        #expect(throws: EscaleError.self) { try database.execute("INSERT INTO u VALUES (77)") }
    }

    @Test(arguments: ["SELECT nothing FROM nowhere", "SELECT 1; SELECT 2", "", "SELECT ?"])
    func wrongStatementsAreShown(sql: String) throws {
        let database = try open()
        let error = #expect(throws: EscaleError.self) { try database.execute(sql) }
        #expect(error?.code == .storeFailed)
        #expect(error?.details.last?.text == sql)
    }

    @Test func moreStatementsThanTheCacheHoldsWork() throws {
        let database = try open()
        for round in 0..<2 {
            for number in 0..<200 {
                let row = try #require(try database.query("SELECT \(number) + ? AS sum", round).first)
                #expect(try row.int64("sum") == Int64(number + round))
            }
        }
    }

    @Test func callersTakeTurns() async throws {
        let database = try open()
        try await withThrowingTaskGroup { group in
            for worker in 0..<8 {
                group.addTask {
                    for number in 0..<50 {
                        try database.execute("INSERT INTO t (name) VALUES (?)", "\(worker)-\(number)")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try database.query("SELECT count(*) AS n FROM t").first?.int64("n") == 400)
    }

    @Test func stateOutlivesTheDatabaseAndIsPrivate() throws {
        try open().execute("INSERT INTO t (name) VALUES ('kept')")
        #expect(try Database(path: scratch.path).query("SELECT name FROM t").first?.text("name") == "kept")
        #expect(scratch.mode == 0o600)
    }
}

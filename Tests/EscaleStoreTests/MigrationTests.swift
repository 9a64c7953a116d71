import EscaleCore
import EscaleStore
import Testing

@Suite struct MigrationTests {
    let scratch = ScratchFile()
    let first = "CREATE TABLE a (id INTEGER PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2)"
    let second = "CREATE TABLE b (a INTEGER REFERENCES a (id) ON DELETE CASCADE); INSERT INTO b VALUES (1)"

    func version(_ database: Database) throws -> Int64? {
        try database.query("PRAGMA user_version").first?.int64("user_version")
    }

    @Test func onlyUnseenStepsRun() throws {
        let database = try Database(path: scratch.path)
        try database.migrate([first])
        try database.migrate([first, second])
        try database.migrate([first, second])
        #expect(try version(database) == 2)
        #expect(try database.query("SELECT * FROM b").count == 1)
    }

    @Test func aFailingStepLeavesTheOldSchema() throws {
        let database = try Database(path: scratch.path)
        try database.migrate([first])
        #expect(throws: EscaleError.self) { try database.migrate([first, second, "CREATE TABEL c (d)"]) }
        #expect(try version(database) == 1)
        #expect(throws: EscaleError.self) { try database.query("SELECT * FROM b") }
        #expect(throws: Never.self) { try database.migrate([first, second]) }
    }

    @Test func aTableWithReferencesCanBeRebuilt() throws {
        let database = try Database(path: scratch.path)
        try database.migrate([first, second])
        let rebuild = """
            CREATE TABLE n (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO n (id) SELECT id FROM a;
            DROP TABLE a; ALTER TABLE n RENAME TO a
            """
        try database.migrate([first, second, rebuild])
        #expect(try database.query("SELECT * FROM b").count == 1)
        #expect(throws: EscaleError.self) { try database.execute("INSERT INTO b VALUES (99)") }
    }

    @Test func aStepMayNotBreakReferences() throws {
        let database = try Database(path: scratch.path)
        try database.migrate([first, second])
        let error = #expect(throws: EscaleError.self) {
            try database.migrate([first, second, "DELETE FROM a"])
        }
        #expect(error?.code == .storeConstraint)
        #expect(try database.query("SELECT * FROM a").count == 2)
    }

    @Test func aNewerSchemaIsRefused() throws {
        let database = try Database(path: scratch.path)
        try database.migrate([first, second])
        let error = #expect(throws: EscaleError.self) { try database.migrate([first]) }
        #expect(error?.code == .storeNewer)
        #expect(error?.message.contains(scratch.path) == true)
        #expect(try version(database) == 2)
    }
}

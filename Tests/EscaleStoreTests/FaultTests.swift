import EscaleCore
import EscaleStore
import Glibc
import Testing

@Suite struct FaultTests {
    let scratch = ScratchFile()

    @Test func aFileThatIsNoDatabaseIsNamed() {
        scratch.write(String(repeating: "this is not a database\n", count: 100))
        let error = #expect(throws: EscaleError.self) { try Database(path: scratch.path) }
        #expect(error?.code == .storeCorrupt)
        #expect(error?.message.contains(scratch.path) == true)
    }

    @Test func aDamagedPageIsReported() throws {
        do {
            let database = try Database(path: scratch.path)
            try database.execute("CREATE TABLE t (x TEXT)")
            for _ in 0..<200 {
                try database.execute("INSERT INTO t VALUES (?)", String(repeating: "x", count: 500))
            }
        }
        let descriptor = open(scratch.path, O_WRONLY)
        let rubbish = [UInt8](repeating: 0xAA, count: 4096 * 8)
        #expect(pwrite(descriptor, rubbish, rubbish.count, 4096) == rubbish.count)
        close(descriptor)
        let error = #expect(throws: EscaleError.self) {
            try Database(path: scratch.path).query("SELECT * FROM t")
        }
        #expect(error?.code == .storeCorrupt)
    }

    @Test func aMissingDirectoryIsNamed() {
        let error = #expect(throws: EscaleError.self) {
            try Database(path: scratch.directory + "/no/state.db")
        }
        #expect(error?.code == .storeUnavailable)
        #expect(error?.message.contains("No such file") == true)
    }

    @Test func aFullDiskChangesNothingAndSaysSo() throws {
        let database = try Database(path: scratch.path)
        try database.execute("CREATE TABLE t (x BLOB)")
        _ = try database.query("PRAGMA max_page_count = 8")
        let error = #expect(throws: EscaleError.self) {
            try database.transaction { connection in
                for _ in 0..<20 { try connection.execute("INSERT INTO t VALUES (zeroblob(4000))") }
            }
        }
        #expect(error?.code == .storeFull)
        #expect(try database.query("SELECT count(*) AS n FROM t").first?.int64("n") == 0)
    }

    @Test func anotherProcessesLockIsExplained() throws {
        let holder = try Database(path: scratch.path)
        try holder.execute("CREATE TABLE t (x)")
        let other = try Database(path: scratch.path, busyTimeout: .milliseconds(20))
        try holder.transaction { connection in
            try connection.execute("INSERT INTO t VALUES (1)")
            let error = #expect(throws: EscaleError.self) { try other.execute("INSERT INTO t VALUES (2)") }
            #expect(error?.code == .storeBusy)
            #expect(try other.query("SELECT * FROM t").isEmpty)
        }
        #expect(try other.execute("INSERT INTO t VALUES (2)") == 1)
    }
}

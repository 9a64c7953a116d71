import EscaleCore
import EscaleNetlink
import EscaleSystem
import Testing

@Suite struct NFTablesTests {
    @Test func aTransactionTakesEffectAsAWholeOrNotAtAll() async throws {
        try await blocking {
            let tables = try NFTables()
            let name = "escale_test_\(UInt32.random(in: 0 ... .max))"
            #expect(try !tables.hasTable(name))
            let error = try #require(throws: EscaleError.self) {
                try tables.run("add table ip \(name)\nadd rule ip \(name) nowhere accept\n")
            }
            #expect(error.code.rawValue == "network.nftables")
            #expect(error.details.last?.text.contains("nowhere") == true)
            #expect(try !tables.hasTable(name))
            try tables.run("add table ip \(name)\n")
            #expect(try tables.hasTable(name))
            try tables.run("delete table ip \(name)\n")
            #expect(try !tables.hasTable(name))
        }
    }
}

import EscaleCore
import EscaleSystem
import FoundationEssentials

/// What has to be remembered beyond the daemon's life. What servers are set to is HAProxy's to tell.
struct GatewayBook: Codable, Hashable, Sendable {
    var slots = SlotTable()
    var ledger = CounterLedger()

    /// Empty where there is no file. A file that can't be understood is set aside and said so.
    static func load(_ path: String, log: Log) throws(EscaleError) -> GatewayBook {
        guard Files.exists(path) else { return GatewayBook() }
        let bytes = try Files.read(path)
        do {
            return try JSONDecoder().decode(GatewayBook.self, from: Data(bytes))
        } catch {
            log.error("gateway records unreadable, starting afresh", ["path": path, "error": "\(error)"])
            try Files.replace("\(path).unreadable", bytes)
            return GatewayBook()
        }
    }

    func save(_ path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try Files.replace(path, try encoder.encode(self))
    }
}

import CEscaleLinux
package import EscaleCore
import EscaleSystem

/// Hears of changes that other processes make in a table of the packet filter, in the namespace of the thread that made it.
package struct TableWatch: Sendable {
    private let socket: FileDescriptor
    private let table: String

    package init(table: String) throws(EscaleError) {
        self.table = table
        socket = FileDescriptor(owning: try check("listen to the packet filter") { c_escale_watch_tables() })
    }

    /// Returns when somebody else has changed the table, or may have.
    package func change() async throws {
        while true {
            try await Reactor.shared.readable(socket)
            if c_escale_table_changed(socket.number, table) == 1 { return }
        }
    }
}

import CNFTables
package import EscaleCore
import EscaleSystem
import Glibc
import Synchronization

/// The kernel's packet filter, driven in process by libnftables, in the namespace of the thread that made it.
package final class NFTables: Sendable {
    /// libnftables' context. It must never be used by two threads at once, hence the mutex around it.
    private struct Context: ~Copyable {
        let handle: OpaquePointer
        deinit { nft_ctx_free(handle) }
    }

    private let context: Mutex<Context>

    /// To be made early: the library waits with `select`, which knows the first 1024 files of a process only.
    package init() throws(EscaleError) {
        let probe = dup(STDIN_FILENO)
        if probe >= 0 { close(probe) }
        guard probe < FD_SETSIZE else {
            throw EscaleError(
                .init("network.nftables"), "too many files are open for another connection to the kernel's packet filter",
                hint: "restart escaled: `escale system stop`; containers go on running")
        }
        guard let handle = nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else {
            throw EscaleError(
                .init("network.nftables"), "can't talk to the kernel's packet filter",
                hint: "run as root, on a kernel with nf_tables")
        }
        nft_ctx_buffer_error(handle)
        nft_ctx_buffer_output(handle)
        context = Mutex(Context(handle: handle))
    }

    /// Runs the commands as one transaction: all of them take effect, or none. Returns what they print.
    ///
    /// Blocks, typically below a millisecond.
    /// - Throws: `network.nftables` with the refused lines as evidence.
    @discardableResult
    package func run(_ commands: String) throws(EscaleError) -> String {
        let result: Result<String, EscaleError> = context.withLock { context in
            if nft_run_cmd_from_buffer(context.handle, commands) == 0 {
                return .success(nft_ctx_get_output_buffer(context.handle).map { String(cString: $0) } ?? "")
            }
            let errors = nft_ctx_get_error_buffer(context.handle).map { String(cString: $0) } ?? ""
            return .failure(Self.refusal(errors, commands))
        }
        return try result.get()
    }

    /// Whether there is such a table of one kind's rules.
    package func hasTable(_ name: String, of family: AddressFamily = .v4) throws(EscaleError) -> Bool {
        let kind = family.tableFamily
        return try run("list tables \(kind)").split(separator: "\n").contains("table \(kind) \(name)")
    }

    private static func refusal(_ text: String, _ commands: String) -> EscaleError {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return EscaleError(
            .init("network.nftables"), "the kernel's packet filter refused the rules",
            hint: text.contains("not permitted")
                ? "run as root" : "the kernel needs nf_tables with nat, fib, numgen and reject",
            // libnftables quotes the first line of a text whichever the wrong one is, so the text goes along.
            details: [.init("nftables", lines.prefix(12).joined(separator: "\n")), .init("rules", commands)])
    }
}

extension AddressFamily {
    /// What nftables calls the family, as a table's and as a packet's.
    package var tableFamily: String { self == .v4 ? "ip" : "ip6" }
}

import FoundationEssentials

/// One line that conmon writes to its sync pipe: `{"data": 1234}` or `{"data": -1, "message": "…"}`.
package struct ConmonReport: Hashable, Sendable {
    /// `nil` where there is no process, and ``message`` says why.
    package let pid: Int32?
    package let message: String

    private struct Wire: Decodable {
        var data: Int32?
        var pid: Int32?
        var message: String?
    }

    /// `nil` for anything that isn't such a line.
    package init?(_ bytes: [UInt8]) {
        guard let wire = try? JSONDecoder().decode(Wire.self, from: Data(bytes)), let data = wire.data ?? wire.pid
        else { return nil }
        pid = data > 0 ? data : nil
        message = (wire.message ?? "").split(whereSeparator: \.isNewline).joined(separator: "; ")
    }
}

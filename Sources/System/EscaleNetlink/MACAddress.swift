/// An Ethernet address.
package struct MACAddress: Hashable, Codable, Sendable, CustomStringConvertible {
    /// Six of them.
    package let bytes: [UInt8]

    /// The locally administered address that belongs to an IPv4 address, so that neighbours are known without asking.
    package init(for address: IPv4Address) { bytes = [0x02, 0x42] + address.bytes }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Reads six numbers in hexadecimal with colons between them; `nil` for anything else.
    package init?(_ text: String) {
        let bytes = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt8($0, radix: 16) }
        guard bytes.count == 6, !bytes.contains(nil) else { return nil }
        self.bytes = bytes.compactMap(\.self)
    }

    /// What the host's end of every pair has. They never meet on one link, so one address does for all.
    package static let host = MACAddress(bytes: [0xee, 0xee, 0xee, 0xee, 0xee, 0xee])

    package var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}

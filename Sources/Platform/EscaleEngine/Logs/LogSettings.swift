package import EscaleCore

/// What becomes of a container's output.
package struct LogSettings: Codable, Hashable, Sendable {
    /// Who gets it besides the engine's own files.
    package enum Destination: Codable, Hashable, Sendable {
        case filesOnly
        /// Nobody, not even the files.
        case nobody
        /// The host's journal, by conmon.
        case journal
        case syslog(SyslogTarget)
    }

    package var destination: Destination
    /// When a file is full and the next one is begun; `nil` for never.
    package var fileSize: ByteCount?
    /// How many files are kept, the one being written among them.
    package var fileCount: Int

    package init(destination: Destination = .filesOnly, fileSize: ByteCount? = nil, fileCount: Int = 1) {
        self.destination = destination
        self.fileSize = fileSize
        self.fileCount = fileCount
    }

    /// Whether there is anything to read afterwards.
    package var isKept: Bool { destination != .nobody }
}

/// A syslog server, and what a container's messages say about themselves.
package struct SyslogTarget: Codable, Hashable, Sendable {
    package var address: SyslogAddress
    package var facility: SyslogFacility
    /// `nil` for the one of the host's own programs.
    package var format: SyslogFormat?

    package init(address: SyslogAddress, facility: SyslogFacility, format: SyslogFormat?) {
        self.address = address
        self.facility = facility
        self.format = format
    }
}

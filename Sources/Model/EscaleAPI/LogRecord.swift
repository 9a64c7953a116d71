package import EscaleCore
package import FoundationEssentials

/// One line of a container's output, without its line break.
package struct LogRecord: Codable, Hashable, Sendable {
    package enum Stream: String, Codable, Sendable { case stdout, stderr }

    /// The container's name.
    package var container: String
    package var service: ServiceName
    package var stream: Stream
    package var at: Timestamp
    /// As UTF-8; other bytes are replaced.
    package var line: String
    /// The bytes, where they are no UTF-8; Base64 in JSON.
    package var raw: Data?
    /// Whether the stream's next record is the rest of the line, which is longer than 4 MiB.
    package var goesOn: Bool?
    /// Whether this is no output but something to know about it.
    package var isNotice: Bool?

    package init(
        container: String, service: ServiceName, stream: Stream, at: Timestamp, bytes: [UInt8], goesOn: Bool = false
    ) {
        self.container = container
        self.service = service
        self.stream = stream
        self.at = at
        self.goesOn = goesOn ? true : nil
        if let text = String(validating: bytes, as: UTF8.self) {
            line = text
        } else {
            line = String(decoding: bytes, as: UTF8.self)
            raw = Data(bytes)
        }
    }

    /// Says something about a container's output.
    package init(notice: String, container: String, service: ServiceName, at: Timestamp) {
        self.init(container: container, service: service, stream: .stderr, at: at, bytes: Array(notice.utf8))
        isNotice = true
    }

    /// The line as it was written.
    package var bytes: [UInt8] { raw.map(Array.init) ?? Array(line.utf8) }
}

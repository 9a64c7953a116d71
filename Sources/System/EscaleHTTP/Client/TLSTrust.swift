/// Whom a client believes over TLS, and who it says it is.
package struct TLSTrust: Hashable, Sendable {
    /// Whether certificates are checked at all.
    package var verifies = true
    /// Files with certificates (PEM) that are believed besides the system's own.
    package var authority: String?
    /// Whether nobody but the given authority is believed, the system's certificates neither.
    package var isExclusive = false
    /// Files with the client's own certificate and key (PEM).
    package var certificate: String?
    package var key: String?
    /// The same as texts (PEM), which then never are on a disk.
    package var authorityText: [UInt8]?
    package var certificateText: [UInt8]?
    package var keyText: [UInt8]?

    /// The name that the server's certificate is for, where that isn't the host's.
    package var serverName: String?

    package init() {}
}

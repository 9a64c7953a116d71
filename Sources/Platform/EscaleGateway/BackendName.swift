package import EscaleCore

/// What requests are sent to: one port of one service, as `<project>/<service>/<container port>`.
package struct BackendName: ValidatedName {
    package static let noun = "backend name"
    package static let alphabet = "a project, a service and a port, as in \"shop/api/8080\""
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package init(project: ProjectName, service: ServiceName, port: UInt16) {
        rawValue = "\(project)/\(service)/\(port)"
    }

    package static func accepts(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        return parts.count == 3 && ProjectName.accepts(parts[0]) && ServiceName.accepts(parts[1])
            && UInt16(parts[2]).map { $0 > 0 && String($0) == parts[2] } == true
    }

    /// As HAProxy may call it. No two names have the same one: none of the parts can hold a colon.
    var proxy: String { rawValue.split(separator: "/").joined(separator: ":") }

    /// The name that one of HAProxy's proxies was made from, whichever view of it that is.
    init?(proxy: some StringProtocol) {
        let parts = proxy.split(separator: ":")
        guard parts.count >= 3, proxy.first != "_" else { return nil }  // `_` starts the gateway's own
        rawValue = parts.prefix(3).joined(separator: "/")
    }
}

/// One of the HAProxy backends that a ``GatewayBackend`` becomes. All have the same server slots.
enum BackendView: String, CaseIterable, Sendable {
    /// Every version, by weight.
    case main = ""
    /// As main, but without ejection: takes over when every replica of main was ejected.
    case any
    /// The new version alone.
    case new
    /// The old version alone.
    case old
    /// As main, without a look inside: for TLS that the container ends itself.
    case passthrough
}

extension BackendName {
    func proxy(_ view: BackendView) -> String { view == .main ? proxy : "\(proxy):\(view.rawValue)" }
}

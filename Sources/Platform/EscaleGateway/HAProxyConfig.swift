import EscaleCompose
package import EscaleCore
import EscaleNetlink

/// What the configuration needs to know besides the state.
package struct GatewayHost: Hashable, Sendable {
    /// Where sockets, certificates and scripts are.
    package var directory: String
    /// Whom HAProxy's workers become once they have bound their ports; `nil` for nobody else.
    package var user: String?
    /// How many files HAProxy may open.
    package var fileLimit: Int
    /// Whether "all addresses" has IPv6 in it.
    package var hasIPv6: Bool
    /// Keeps clients from reading or making up the values of sticky cookies.
    package var cookieKey: String

    package init(directory: String, user: String?, fileLimit: Int, hasIPv6: Bool, cookieKey: String) {
        self.directory = directory
        self.user = user
        self.fileLimit = fileLimit
        self.hasIPv6 = hasIPv6
        self.cookieKey = cookieKey
    }

    var runtimeSocket: String { "\(directory)/haproxy.sock" }
    var holdScript: String { "\(directory)/hold.lua" }
    var shareFile: String { "\(directory)/shares.map" }
}

/// The text of HAProxy's configuration file. Equal states and slots make equal texts.
package struct HAProxyConfig: Sendable {
    package let text: String

    /// - Throws: `gateway.route` and `gateway.listener` for states that can't be served.
    package init(_ state: GatewayState, slots: SlotTable, host: GatewayHost) throws(EscaleError) {
        let roster = Roster(state, slots: slots)
        let views = BackendViews(state)
        var writer = ConfigWriter()
        Self.writeGlobal(host, to: &writer)
        Self.writeDefaults(state.source, to: &writer)
        let backends = Dictionary(state.backends.map { ($0.name, $0) }) { first, _ in first }
        var addresses = Set<String>()
        for listener in state.listeners.sorted(by: { $0.address < $1.address }) {
            guard addresses.insert(listener.address).inserted else { throw .duplicateListener(listener.address) }
            try FrontendText(listener: listener, backends: backends, host: host).write(to: &writer)
        }
        for backend in state.backends.sorted(by: { $0.name < $1.name }) {
            for view in views[backend.name] {
                try BackendText(backend: backend, view: view, host: host).write(
                    to: &writer, capacity: slots.capacity(of: backend.name), roster: roster)
            }
        }
        Self.writeAnswers(state, to: &writer)
        text = writer.text
    }

    /// What takes a reload when it changes: all but what the server lines are set to.
    package static func skeleton(of text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> Substring in
            guard line.hasPrefix(ConfigWriter.serverIndent) else { return line }
            let name = line.dropFirst(ConfigWriter.serverIndent.count).prefix { $0 != " " }
            return line[..<name.endIndex]
        }.joined(separator: "\n")
    }

    private static func writeGlobal(_ host: GatewayHost, to writer: inout ConfigWriter) {
        writer.section("global")
        // Written by HAProxy itself into a file that it holds open, so that no line depends on the daemon.
        writer.line("log stdout len 8192 format raw local0 info")
        writer.line("stats socket", quoted(host.runtimeSocket), "mode 600 level admin expose-fd listeners")
        writer.line("fd-hard-limit \(host.fileLimit)")
        // A worker of before a reload goes on for its last connections, such as WebSockets, this long.
        writer.line("hard-stop-after 1h")
        if let user = host.user { writer.line("user \(user)") }
        writer.line("lua-load-per-thread", quoted(host.holdScript))
        writer.line("ssl-default-bind-options ssl-min-ver TLSv1.2")
        writer.line("tune.ssl.default-dh-param 2048")
    }

    private static func writeDefaults(_ source: IPv4Address?, to writer: inout ConfigWriter) {
        writer.section("defaults http")
        writer.line("mode http")
        writeCommonDefaults(source, to: &writer)
        // A client that sends its next request while a reload comes finds its connection open.
        writer.line("option idle-close-on-response")
        writer.line("retry-on conn-failure empty-response")
        writer.line("timeout http-request 10s")
        for (status, sentence, header) in errorAnswers {
            writer.line(
                "http-error status \(status) content-type text/plain string \"\(sentence)\\n\"", header)
        }
        writer.line("log-format '\(AccessLogFormat.http)'")
        writer.section("defaults tcp")
        writer.line("mode tcp")
        writeCommonDefaults(source, to: &writer)
        writer.line("log-format '\(AccessLogFormat.tcp)'")
    }

    private static func writeCommonDefaults(_ source: IPv4Address?, to writer: inout ConfigWriter) {
        writer.line("log global")
        writer.line("option dontlognull")
        writer.line("option redispatch 1")
        writer.line("balance roundrobin")
        if let source { writer.line("source \(source)") }
        writer.line("timeout connect 1s")
        writer.line("timeout check 1s")
        writer.line("timeout queue 5s")
        writer.line("timeout client-fin 30s")
        writer.line("timeout server-fin 30s")
    }

    private static let errorAnswers: [(Int, String, String?)] = [
        (408, "the request took too long to arrive", nil),
        (502, "the service gave no valid answer", nil),
        (503, "no replica of the service can answer now", "hdr Retry-After 1"),
        (504, "the service took too long to answer", nil),
    ]

    /// The backends that answer by themselves: for no route, and for redirects.
    private static func writeAnswers(_ state: GatewayState, to writer: inout ConfigWriter) {
        writer.section("backend \(FrontendText.noRoute) from http")
        writer.line(
            "http-request return status 404 content-type text/plain string \"nothing is served at this host and path\\n\"")
        var ports = Set<UInt16>()
        for listener in state.listeners {
            for case .redirectToTLS(let port) in listener.routes.map(\.target) { ports.insert(port) }
        }
        for port in ports.sorted() {
            let suffix = port == 443 ? "" : ":\(port)"
            writer.section("backend \(FrontendText.redirect(to: port)) from http")
            writer.line("http-request redirect prefix https://%[var(txn.host)]\(suffix) code 308")
        }
    }
}

/// Collects lines.
struct ConfigWriter {
    static let serverIndent = "    server "
    private(set) var text = "# Written by Escale, which writes it again: changes here are lost.\n"

    mutating func section(_ heading: String) { text += "\n\(heading)\n" }
    mutating func line(_ words: String?...) { text += "    \(words.compactMap { $0 }.joined(separator: " "))\n" }
}

/// A word that HAProxy takes as it is. Line breaks can't be in one: callers see to that.
func quoted(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}

extension Duration {
    /// For HAProxy's time-outs: at least a millisecond, since 0 would mean for ever.
    var milliseconds: Int64 { min(max(nanoseconds / 1_000_000, 1), 2_000_000_000) }
}

import EscaleCompose
import EscaleCore

/// One view of a backend as HAProxy's backend.
struct BackendText {
    let backend: GatewayBackend
    let view: BackendView
    let host: GatewayHost

    private var settings: HTTPSettings { backend.settings }
    private var isHTTP: Bool { view != .passthrough }

    func write(to writer: inout ConfigWriter, capacity: Int, roster: Roster) throws(EscaleError) {
        let proxy = backend.name.proxy(view)
        if view == .main, let limit = settings.rateLimit { writeTable(limit, to: &writer) }
        writer.section("backend \(proxy) from \(isHTTP ? "http" : "tcp")")
        writer.line("retries \(max(0, settings.retries))")
        if isHTTP {
            writer.line("timeout server \(settings.timeout.milliseconds)ms")
            writer.line("timeout tunnel \(settings.tunnelTimeout.milliseconds)ms")
            try writeRequestRules(to: &writer)
        } else {
            writer.line("timeout server \(settings.tunnelTimeout.milliseconds)ms")
        }
        let options = serverOptions
        if !options.isEmpty { writer.line("default-server \(options.joined(separator: " "))") }
        for slot in 1...max(capacity, 1) {
            if let setting = roster.servers[ServerPlace(proxy: proxy, slot: slot)] {
                writer.line(
                    "server s\(slot) \(setting.address):\(setting.port) weight \(setting.weight)",
                    setting.isReady ? nil : "disabled")
            } else {
                writer.line("server s\(slot) 0.0.0.0:0 weight 1 disabled")
            }
        }
    }

    private func writeTable(_ limit: HTTPSettings.RateLimit, to writer: inout ConfigWriter) {
        let period = limit.period.milliseconds
        writer.section("backend \(rateTable) from http")
        writer.line("stick-table type ipv6 size 100k expire \(2 * period)ms store http_req_rate(\(period)ms)")
    }

    private var rateTable: String { "\(backend.name.proxy):rate" }

    private func writeRequestRules(to writer: inout ConfigWriter) throws(EscaleError) {
        try Self.checkToken(backend.overrideHeader, "header name")
        try Self.checkToken(backend.overrideCookie, "cookie name")
        if let limit = settings.rateLimit {
            writer.line("http-request track-sc0 src table \(rateTable)")
            writer.line(
                "http-request return status 429 content-type text/plain string \"too many requests\\n\"",
                "hdr Retry-After \(max(1, (limit.period.milliseconds + 999) / 1000))",
                "if { sc_http_req_rate(0,\(rateTable)) gt \(limit.requests) }")
        }
        if let maxBody = settings.maxBody {
            writer.line(
                "http-request return status 413 content-type text/plain string \"the request's body is too large\\n\"",
                "if { req.body_size gt \(maxBody.rawValue) }")
        }
        if settings.retries > 0 {
            // Others are only sent again where nothing was sent yet.
            writer.line("http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE TRACE }")
        }
        if view == .main && settings.hold > .zero {
            writer.line("http-request lua.escale_hold \(settings.hold.milliseconds) if !{ stopping } { nbsrv lt 1 }")
        }
        if let cookie = settings.stickyCookie {
            try Self.checkToken(cookie, "cookie name")
            writer.line("cookie \(cookie) insert indirect nocache httponly dynamic attr SameSite=Lax")
            writer.line("dynamic-cookie-key \(host.cookieKey)")
        }
    }

    private var serverOptions: [String] {
        var options: [String] = []
        if isHTTP {
            switch backend.applicationProtocol {
            case .http: break
            case .http2, .grpc: options.append("proto h2")
            case .https: options.append("ssl verify none alpn h2,http/1.1 sni req.hdr(host),host_only no-check-ssl")
            }
        }
        if settings.sendsProxyProtocol { options.append("send-proxy-v2") }
        if view == .main && settings.ejectAfter > 0 {
            // Checked only to come back: a first check an hour away never happens, one after an ejection does.
            let rest = settings.ejectFor.milliseconds
            options.append(
                "check inter 1h fastinter \(rest)ms downinter \(rest)ms rise 1 fall 3 observe layer7"
                    + " error-limit \(settings.ejectAfter) on-error mark-down")
        }
        return options
    }

    private static func checkToken(_ text: String, _ what: String) throws(EscaleError) {
        let isFine = !text.isEmpty && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isFine else { throw .badToken(text, what) }
    }
}

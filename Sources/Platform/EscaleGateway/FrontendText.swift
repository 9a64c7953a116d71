import EscaleCompose
import EscaleCore
import EscaleNetlink

/// One listener as HAProxy's frontend.
struct FrontendText {
    let listener: GatewayListener
    let backends: [BackendName: GatewayBackend]
    let host: GatewayHost

    /// No project's name starts like these.
    static let noRoute = "_no-route"
    static func redirect(to port: UInt16) -> String { "_to-tls:\(port)" }

    func write(to writer: inout ConfigWriter) throws(EscaleError) {
        let isHTTP = listener.security != .passthrough
        let name = "\(listener.hostAddress?.description ?? "all"):\(listener.port)"
        writer.section("frontend _at:\(name) from \(isHTTP ? "http" : "tcp")")
        for address in addresses { writer.line("bind", address, bindOptions) }
        let used = try usedBackends()
        let idle = used.map { isHTTP ? $0.settings.idleTimeout : $0.settings.tunnelTimeout }.max() ?? .seconds(60)
        writer.line("timeout client \(idle.milliseconds)ms")
        if isHTTP {
            writer.line("timeout http-keep-alive \(min(idle, Self.keepAlive).milliseconds)ms")
            writeRequestRules(to: &writer)
        } else {
            writer.line("tcp-request inspect-delay 5s")
            writer.line("tcp-request content set-var(txn.host) req.ssl_sni,lower if { req.ssl_hello_type 1 }")
            writer.line("tcp-request content accept if { req.ssl_hello_type 1 }")
        }
        try RouteRules(entries: RouteEntry.ordered(listener.routes), backends: backends, host: host, isHTTP: isHTTP)
            .write(to: &writer)
    }

    private var addresses: [String] {
        if let address = listener.hostAddress { return ["\(address):\(listener.port)"] }
        return ["0.0.0.0:\(listener.port)"] + (host.hasIPv6 ? [":::\(listener.port) v6only"] : [])
    }

    private var bindOptions: String? {
        var options: [String] = []
        if listener.acceptsProxyProtocol { options.append("accept-proxy") }
        if case .tls(let certificates) = listener.security {
            let files = certificates.map { "crt " + quoted(CertificateFiles.path(of: $0, in: host.directory)) }
            options += ["ssl"] + files + ["alpn h2,http/1.1"]
        }
        return options.isEmpty ? nil : options.joined(separator: " ")
    }

    private func usedBackends() throws(EscaleError) -> [GatewayBackend] {
        var used: [GatewayBackend] = []
        for route in listener.routes {
            guard case .backend(let name, _) = route.target else { continue }
            guard let backend = backends[name] else { throw .unknownBackend(name, listener.address) }
            used.append(backend)
        }
        return used
    }

    /// An idle connection that a reload leaves to an old worker is gone before the replicas that this one knows are.
    private static let keepAlive = Duration.seconds(10)

    /// What a client says about itself is replaced, never believed; a sane request id is kept.
    private func writeRequestRules(to writer: inout ConfigWriter) {
        let scheme = listener.security == .plain ? "http" : "https"
        writer.line("http-request set-var(txn.host) req.hdr(host),host_only,lower,bytes(0,255)")
        writer.line("http-request set-var(txn.path) path,bytes(0,1000)")
        let isSane = "{ req.fhdr(x-request-id) -m reg ^[A-Za-z0-9._:+/=@-]{1,128}$ }"
        writer.line("http-request set-var(txn.id) req.fhdr(x-request-id) if \(isSane)")
        writer.line("http-request set-var(txn.id) uuid() unless { var(txn.id) -m found }")
        writer.line("http-request set-header X-Request-ID %[var(txn.id)]")
        writer.line("http-request set-header X-Forwarded-For %[src]")
        writer.line("http-request set-header X-Forwarded-Proto \(scheme)")
        writer.line("http-request set-header X-Forwarded-Host %[req.hdr(host)]")
        writer.line("http-request set-header X-Forwarded-Port \(listener.port)")
        writer.line("http-request del-header Forwarded")
    }
}

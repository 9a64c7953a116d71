import EscaleCore
import EscaleYAML

/// The gateway: `x-escale.http`.
extension ProjectRenderer {
    static func http(_ http: HTTPSettings) -> YAMLValue {
        let usual = HTTPSettings()
        var members = Members()
        members.add("host", list(http.hosts))
        members.add("path", http.path, unless: usual.path, as: text)
        members.add("address", http.address.map { .string($0) })
        members.add("container_port", http.containerPort.map { .int(Int64($0)) })
        members.add("port", http.port, unless: usual.port) { .int(Int64($0)) }
        members.add("tls", http.tls.map { tls($0, of: http) })
        members.add("timeout", http.timeout, unless: usual.timeout, as: duration)
        members.add("idle_timeout", http.idleTimeout, unless: usual.idleTimeout, as: duration)
        members.add("tunnel_timeout", http.tunnelTimeout, unless: usual.tunnelTimeout, as: duration)
        members.add("retries", http.retries, unless: usual.retries) { .int(Int64($0)) }
        members.add("max_body", http.maxBody.map { .string(String($0.rawValue)) })
        if let limit = http.rateLimit {
            members.add(
                "rate_limit",
                .map([
                    .init("requests", .int(Int64(limit.requests))), .init("period", duration(limit.period)),
                ])
            )
        }
        members.add("sticky", http.stickyCookie.map(text))
        members.add("hold", http.hold, unless: usual.hold, as: duration)
        var eject = Members()
        eject.add("errors", http.ejectAfter, unless: usual.ejectAfter) { .int(Int64($0)) }
        eject.add("for", http.ejectFor, unless: usual.ejectFor, as: duration)
        members.add("eject", eject.filledMap)
        var proxy = Members()
        proxy.add("accept", flag(http.acceptsProxyProtocol))
        proxy.add("send", flag(http.sendsProxyProtocol))
        members.add("proxy_protocol", proxy.filledMap)
        return members.map
    }

    private static func tls(_ certificate: HTTPSettings.Certificate, of http: HTTPSettings) -> YAMLValue {
        let usual = HTTPSettings()
        var members = Members()
        members.add("certificate", text(certificate.certificate))
        members.add("key", text(certificate.key))
        members.add("port", http.tlsPort, unless: usual.tlsPort) { .int(Int64($0)) }
        members.add("redirect", http.redirectsToTLS ? nil : .bool(false))
        return members.map
    }
}

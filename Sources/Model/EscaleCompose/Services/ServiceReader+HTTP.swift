import EscaleCore
import EscaleYAML

/// `x-escale.http`: how the gateway serves the service.
extension ServiceReader {
    /// - Parameters:
    ///   - ports: What the file has under `ports`, read into `service` before.
    ///   - exposed: The ports of `expose`.
    func http(
        _ section: Section,
        ports: Field?,
        exposed: [ClosedRange<UInt16>],
        of service: Service
    ) -> HTTPSettings {
        var http = HTTPSettings()
        http.hosts = hosts(section["host"])
        if let path = section["path"].flatMap(prefix) { http.path = path }
        if let field = section["container_port"] {
            http.containerPort = field.port()
        } else if !section.misspells("container_port") {
            http.containerPort = onlyPort(section.field, ports, exposed, of: service)
        }
        if let field = section["address"], let text = field.filledText(), isAddress(text, field) { http.address = text }
        if let port = section["port"]?.port() { http.port = port }
        readTLS(section["tls"], into: &http)
        if let timeout = section["timeout"]?.positiveDuration() { http.timeout = timeout }
        if let timeout = section["idle_timeout"]?.positiveDuration() { http.idleTimeout = timeout }
        if let timeout = section["tunnel_timeout"]?.positiveDuration() { http.tunnelTimeout = timeout }
        if let retries = section["retries"]?.integer(in: 0...10) { http.retries = retries }
        http.maxBody = section["max_body"].flatMap(maxBody)
        http.rateLimit = section["rate_limit"].flatMap(rateLimit)
        http.stickyCookie = section["sticky"]?.httpName(of: "cookie", example: "escale-replica")
        if let hold = section["hold"]?.duration() { http.hold = hold }
        if let eject = section["eject"]?.filledSection(
            .httpEject,
            hint: "write eject: {errors: 20, for: 10s}"
        ) {
            if let errors = eject["errors"]?.integer(in: 0...1_000_000) { http.ejectAfter = errors }
            if let rest = eject["for"]?.positiveDuration() { http.ejectFor = rest }
        }
        let hint = "write proxy_protocol: {accept: true}"
        if let proxy = section["proxy_protocol"]?.filledSection(.httpProxyProtocol, hint: hint) {
            http.acceptsProxyProtocol = proxy["accept"]?.boolean() ?? false
            http.sendsProxyProtocol = proxy["send"]?.boolean() ?? false
        }
        return http
    }

    // MARK: Routes

    private func hosts(_ field: Field?) -> [String] {
        var hosts: [String] = []
        for item in field?.texts() ?? [] {
            guard let host = item.dnsName(allowingWildcard: true) else { continue }
            if hosts.contains(host) {
                item.error(
                    "compose.http.host",
                    "\(item.path): \"\(host)\" is given twice",
                    hint: "remove one"
                )
            } else {
                hosts.append(host)
            }
        }
        return hosts
    }

    /// Whole segments, without a slash at the end.
    private func prefix(_ field: Field) -> String? {
        guard let text = field.urlPath(example: "/api") else { return nil }
        let segments = text.split(separator: "/").map(String.init)
        let path = "/" + segments.joined(separator: "/")
        let isPlain = !segments.contains(".") && !segments.contains("..") && !text.contains("//")
        if isPlain, !text.contains("?"), !text.contains("#"), !text.contains("*") { return path }
        field.error(
            "compose.http.path",
            "\(field.path): \"\(text)\" is not the beginning of a path",
            hint: "write whole segments such as /api; it stands for /api and all below it"
        )
        return nil
    }

    /// The port that must be meant, since the service has no other.
    private func onlyPort(
        _ field: Field,
        _ ports: Field?,
        _ exposed: [ClosedRange<UInt16>],
        of service: Service
    ) -> UInt16? {
        var ranges = Set(
            service.ports.filter { $0.transport == .tcp }.map { $0.containerPort...$0.containerPort }
        )
        ranges.formUnion(exposed)
        if let only = ranges.first, ranges.count == 1, only.count == 1 { return only.lowerBound }
        guard let first = ranges.map(\.lowerBound).min() else {
            // Ports that could not be read are the reason then, and were reported.
            if service.ports.isEmpty, ports?.node.sequence?.isEmpty == false { return nil }
            field.error(
                "compose.http.container-port",
                "\(field.path): it is not known which port of the container to ask",
                hint: "name the one that the program listens on: container_port: 8080"
            )
            return nil
        }
        let spoken = ranges.sorted { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }.prefix(
            5
        )
        .map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        field.error(
            "compose.http.container-port",
            "\(field.path): the service has several ports: \(spoken.joined(separator: ", "))\(ranges.count > 5 ? ", …" : "")",
            hint: "name the one that speaks HTTP, such as container_port: \(first)"
        )
        return nil
    }

    private func readTLS(_ field: Field?, into http: inout HTTPSettings) {
        let example = "write tls: {certificate: ./tls/chain.pem, key: ./tls/key.pem}"
        guard let field, let section = field.filledSection(.httpTLS, hint: example) else { return }
        for key in ["certificate", "key"] where section[key] == nil && !section.misspells(key) {
            field.error("compose.http.tls", "\(field.path) has no `\(key)`", hint: example)
        }
        if let port = section["port"]?.port() { http.tlsPort = port }
        if let redirects = section["redirect"]?.boolean() { http.redirectsToTLS = redirects }
        guard let certificate = section["certificate"].flatMap(file), let key = section["key"].flatMap(file)
        else {
            return
        }
        http.tls = .init(certificate: certificate, key: key)
    }

    private func file(_ field: Field) -> String? {
        guard let path = field.filledText().map(field.resolve) else { return nil }
        if path.hasPrefix("/"), !context.fileSystem.exists(path) {
            field.warning(
                "compose.http.tls.missing",
                "there is no file \(path)",
                hint: "create it before `escale up`; the service is not served by TLS without it"
            )
        }
        return path
    }

    // MARK: Limits

    private func maxBody(_ field: Field) -> ByteCount? {
        guard let size = field.bytes() else { return nil }
        if size.rawValue > 0 { return size }
        field.error(
            "compose.range",
            "\(field.path) is 0; it must be larger",
            hint: "write a size such as 10m; for no limit remove the line"
        )
        return nil
    }

    private func rateLimit(_ field: Field) -> HTTPSettings.RateLimit? {
        let example = "write rate_limit: {requests: 100, period: 10s}"
        guard let section = field.filledSection(.httpRateLimit, hint: example) else { return nil }
        for key in ["requests", "period"] where section[key] == nil && !section.misspells(key) {
            field.error("compose.http.rate-limit", "\(field.path) has no `\(key)`", hint: example)
        }
        guard let requests = section["requests"]?.integer(in: 1...1_000_000_000),
            let period = section["period"]?.positiveDuration()
        else { return nil }
        return .init(requests: requests, period: period)
    }
}

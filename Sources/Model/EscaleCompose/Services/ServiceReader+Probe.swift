import EscaleCore

/// `x-escale.probe`: a health check that the daemon makes itself.
extension ServiceReader {
    func probe(_ field: Field, of service: Service) -> ServiceProbe? {
        let hint = "write probe: {http: /healthz, port: 8080}, or probe: {tcp: 5432}"
        guard let section = field.filledSection(.probe, hint: hint) else { return nil }
        if let test = service.healthcheck?.test, test != .none {
            field.error(
                "compose.probe.twice", "\(field.path): the service has a `healthcheck.test` as well; there can be one check",
                hint: "remove one of the two; `interval`, `timeout` and the like of `healthcheck` hold for the probe")
            return nil
        }
        let port = section["port"]?.integer(in: 1...65535).flatMap { UInt16(exactly: $0) }
        switch (section["http"], section["tcp"]) {
        case (let http?, nil):
            guard let path = http.text() else { return nil }
            guard path.hasPrefix("/"), !path.utf8.contains(where: { $0 <= 32 || $0 == 127 }) else {
                http.error(
                    "compose.probe.path", "\(http.path) must be a path that begins with /, without blanks", hint: hint)
                return nil
            }
            guard let port = port ?? service.ports.first(where: { $0.transport == .tcp })?.containerPort else {
                if section["port"] == nil {
                    field.error("compose.probe.port", "\(field.path) does not say which port of the container to ask", hint: hint)
                }
                return nil
            }
            return ServiceProbe(.http(path: path), port: port)
        case (nil, let tcp?):
            if let port = section["port"] {
                port.error("compose.probe.port", "\(port.path): the port of a `tcp` probe is its value", hint: hint)
                return nil
            }
            return tcp.integer(in: 1...65535).flatMap { UInt16(exactly: $0) }.map { ServiceProbe(.tcp, port: $0) }
        case (nil, nil), (.some, .some):
            field.error("compose.probe.kind", "\(field.path) must have either `http` or `tcp`", hint: hint)
            return nil
        }
    }
}

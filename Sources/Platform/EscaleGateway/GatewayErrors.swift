import EscaleCore

extension EscaleError {
    static func haproxyMissing() -> Self {
        EscaleError(
            .init("gateway.tool-missing"), "the program haproxy, which serves HTTP ports, isn't installed",
            hint: "run `apt-get install haproxy`")
    }

    static func haproxyRefuses(_ output: String) -> Self {
        EscaleError(
            .init("gateway.config"), "HAProxy refuses the new configuration; the old one stays in force",
            hint: "look for what its words name in the `x-escale.http` settings",
            details: [.init("haproxy", output)])
    }

    static func haproxyFailed(_ output: String) -> Self {
        EscaleError(
            .init("gateway.failed"), "HAProxy doesn't start", hint: "free up what its words name and try again",
            details: [.init("haproxy", output)])
    }

    static func runtime(_ answer: String) -> Self {
        EscaleError(
            .init("gateway.runtime"), "HAProxy didn't take a change",
            hint: "nothing to do at once: it is looked at again within seconds; if this stays, see escaled's log",
            details: [.init("haproxy", answer)])
    }

    static func portInUse(_ address: String, _ port: UInt16) -> Self {
        EscaleError(
            .init("gateway.port-in-use"), "port \(port) on \(address) is already in use",
            hint: "stop what listens there (see `ss -ltnp 'sport = :\(port)'`) or choose another port")
    }

    static func addressUnavailable(_ address: String, _ port: UInt16) -> Self {
        EscaleError(
            .init("gateway.address"), "this host has no address \(address) to serve port \(port) on",
            hint: "choose one that `ip address` shows, or none for all")
    }

    static func directoryTooLong(_ directory: String) -> Self {
        EscaleError(
            .init("gateway.directory"), "the path \(directory) is too long for a socket in it",
            hint: "use a root with a shorter path")
    }

    static func duplicateListener(_ address: String) -> Self {
        EscaleError(.init("gateway.listener"), "\(address) is to be served twice, in different ways",
            hint: "let everything at that port be plain HTTP, or everything TLS, or choose another port")
    }

    static func unknownBackend(_ name: BackendName, _ address: String) -> Self {
        EscaleError(.init("gateway.route"), "a route of \(address) leads to \(name), which isn't there",
            hint: "this is a mistake of Escale's: `escale up -d` makes the routes anew")
    }

    static func badHost(_ host: String) -> Self {
        EscaleError(
            .init("gateway.route"), "\"\(host)\" is no host name",
            hint: "use letters, digits, '-', '_' and '.', with '*.' in front for any one label")
    }

    static func badPath(_ path: String) -> Self {
        EscaleError(
            .init("gateway.route"), "\"\(path)\" is no path", hint: "start it with '/', and percent-encode what isn't ASCII")
    }

    static func badToken(_ text: String, _ what: String) -> Self {
        EscaleError(
            .init("gateway.settings"), "\"\(text)\" is no \(what)", hint: "use letters, digits, '-', '_' and '.'")
    }

    static func badCertificate(_ file: String, _ why: String, details: [Detail] = []) -> Self {
        EscaleError(
            .init("gateway.certificate"), "the certificate file \(file) can't be used: \(why)",
            hint: "put the chain and its private key there as PEM, or correct `tls` in `x-escale.http`",
            details: details)
    }
}

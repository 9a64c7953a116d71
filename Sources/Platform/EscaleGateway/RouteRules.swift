import EscaleCompose
import EscaleCore

/// The rules of one frontend that choose the backend.
struct RouteRules {
    let entries: [RouteEntry]
    let backends: [BackendName: GatewayBackend]
    let host: GatewayHost
    let isHTTP: Bool

    func write(to writer: inout ConfigWriter) throws(EscaleError) {
        for (index, entry) in entries.enumerated() { try writeConditions(of: entry, index, to: &writer) }
        if isHTTP { try writeCohorts(to: &writer) }
        for (index, entry) in entries.enumerated() {
            let condition = condition(of: entry, index)
            switch entry.target {
            case .redirectToTLS(let port):
                if isHTTP { writeUse(FrontendText.redirect(to: port), condition, to: &writer) }
            case .backend(let name, let versions):
                guard let backend = backends[name] else { continue }  // the frontend has thrown
                writeUses(of: backend, versions, condition, isCohort: cohortIndices.contains(index), to: &writer)
            }
            if entry.isUnconditional { return }
        }
        if isHTTP { writer.line("default_backend \(FrontendText.noRoute)") }
    }

    private func writeConditions(of entry: RouteEntry, _ index: Int, to writer: inout ConfigWriter) throws(EscaleError) {
        switch entry.hosts {
        case .any: break
        case .exact(let hosts):
            for host in hosts { try Self.checkHost(host) }
            writer.line("acl host\(index) var(txn.host) -m str -- \(hosts.joined(separator: " "))")
        case .wildcard(let suffix):
            try Self.checkHost(String(suffix.dropFirst()))
            let pattern = suffix.split(separator: ".", omittingEmptySubsequences: false).joined(separator: "\\.")
            writer.line("acl host\(index) var(txn.host) -m reg --", quoted("^[^.]+\(pattern)$"))
        }
        guard isHTTP, !entry.path.isEmpty else { return }
        guard entry.path.hasPrefix("/"), entry.path.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw .badPath(entry.path)
        }
        writer.line("acl path\(index) path -m str --", quoted(entry.path))
        writer.line("acl path\(index) path -m beg --", quoted(entry.path + "/"))
    }

    private func condition(of entry: RouteEntry, _ index: Int) -> String {
        let names = (entry.hosts == .any ? [] : ["host\(index)"])
            + (entry.path.isEmpty || !isHTTP ? [] : ["path\(index)"])
        return names.joined(separator: " ")
    }

    private func writeUse(_ proxy: String, _ conditions: String..., to writer: inout ConfigWriter) {
        let all = conditions.filter { !$0.isEmpty }.joined(separator: " ")
        writer.line(all.isEmpty ? "default_backend \(proxy)" : "use_backend \(proxy) if \(all)")
    }

    private func writeUses(
        of backend: GatewayBackend, _ versions: GatewayRoute.Versions, _ condition: String, isCohort: Bool,
        to writer: inout ConfigWriter
    ) {
        let name = backend.name
        guard isHTTP else {
            // Without a look inside there is no version to choose.
            if versions == .all { writeUse(name.proxy(.passthrough), condition, to: &writer) }
            return
        }
        switch versions {
        case .newOnly: return writeUse(name.proxy(.new), condition, to: &writer)
        case .oldOnly: return writeUse(name.proxy(.old), condition, to: &writer)
        case .all: break
        }
        if backend.hasVersions {
            for view in [BackendView.new, .old] {
                let proxy = name.proxy(view)
                let isThere = "{ nbsrv(\(proxy)) gt 0 }"
                let header = "{ req.hdr(\(backend.overrideHeader)) -m str -i -- \(view.rawValue) }"
                let cookie = "{ req.cook(\(backend.overrideCookie)) -m str -- \(view.rawValue) }"
                writeUse(proxy, condition, header, isThere, to: &writer)
                writeUse(proxy, condition, cookie, isThere, to: &writer)
            }
            if isCohort {
                let isNew = "{ var(txn.cohort),sub(txn.share) -m int lt 0 }"
                let isDrawn = "{ var(txn.cohort) -m found }"
                writeUse(name.proxy(.new), condition, isDrawn, isNew, to: &writer)
                writeUse(name.proxy(.old), condition, isDrawn, to: &writer)
            }
        }
        if backend.settings.ejectAfter > 0 {
            let any = name.proxy(.any)
            writeUse(
                any, condition, "{ nbsrv(\(name.proxy)) eq 0 }", "{ nbsrv(\(any)) gt 0 }", to: &writer)
        }
        writeUse(name.proxy, condition, to: &writer)
    }

    static func checkHost(_ host: String) throws(EscaleError) {
        let isFine = !host.isEmpty && host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
                UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard isFine else { throw .badHost(host) }
    }
}

/// Sticky canaries: each client draws a number once, and has the new version while the number is below the share.
/// The share is in a map, which the runtime API changes.
extension RouteRules {
    private var cohortIndices: Set<Int> {
        Set(entries.indices.filter { index in
            guard case .backend(let name, versions: .all) = entries[index].target, let backend = backends[name] else {
                return false
            }
            return backend.hasVersions && backend.isSticky
        })
    }

    private func writeCohorts(to writer: inout ConfigWriter) throws(EscaleError) {
        let indices = cohortIndices
        guard !indices.isEmpty else { return }
        // The route that counts is the first whose condition holds, so it has to be found before the number is drawn.
        for (index, entry) in entries.enumerated() {
            let condition = condition(of: entry, index)
            writer.line(
                "http-request set-var(txn.route) int(\(index)) if", condition.isEmpty ? nil : condition,
                "!{ var(txn.route) -m found }")
        }
        var cookies = Set<String>()
        for index in indices.sorted() {
            guard case .backend(let name, _) = entries[index].target, let backend = backends[name] else { continue }
            let cookie = Self.cohortCookie(of: backend)
            cookies.insert(cookie)
            let (new, old) = (name.proxy(.new), name.proxy(.old))
            let isHere = "{ var(txn.route) -m int \(index) } { nbsrv(\(new)) gt 0 } { nbsrv(\(old)) gt 0 }"
            let isDrawn = "{ req.cook(\(cookie)) -m reg ^[0-9]{1,4}$ }"
            writer.line("http-request set-var(txn.cohort) req.cook(\(cookie)) if \(isHere) \(isDrawn)")
            writer.line("http-request set-var(txn.drawn) str(\(cookie)) if \(isHere) !\(isDrawn)")
            writer.line("http-request set-var(txn.cohort) rand(10000) if \(isHere) !\(isDrawn)")
            writer.line(
                "http-request set-var(txn.share) str(\(name.proxy)),map_str_int(\(host.shareFile),0) if \(isHere)")
        }
        writer.line(
            "http-response add-header Set-Cookie",
            #""%[var(txn.drawn)]=%[var(txn.cohort)]; Path=/; HttpOnly; SameSite=Lax""#,
            "if { var(txn.drawn) -m found }")
    }

    /// Named after the override cookie, so that it is the service's own where that is.
    static func cohortCookie(of backend: GatewayBackend) -> String { backend.overrideCookie + "-draw" }
}

/// One attribute of the Compose Specification and what Escale does with it.
package struct ComposeAttribute: Hashable, Sendable {
    /// What happens when a file uses the attribute. Nothing is ever dropped without a word.
    package enum Status: Hashable, Sendable {
        /// Does what the specification says.
        case executed
        /// Has nothing to do here, and leaving it out changes nothing; says why.
        case accepted(String)
        /// Left out with a warning that says what happens instead.
        case warned(String)
        /// An error, since running without it would not be what the file asks for; says what to do.
        case refused(String)
    }

    package let scope: Scope
    package let name: String
    package let status: Status
    /// Values (as text) that ask for what happens anyway, so that they are no problem.
    package let harmless: Set<String>

    /// The place in a file, such as `services.*.ports.*.target`.
    package var path: String { scope.rawValue.isEmpty ? name : "\(scope.rawValue).\(name)" }

    /// The mappings of a compose file that have attributes.
    package enum Scope: String, CaseIterable, Hashable, Sendable {
        case file = ""
        case include = "include.*"
        case service = "services.*"
        case build = "services.*.build"
        case dependency = "services.*.depends_on.*"
        case deploy = "services.*.deploy"
        case updateConfig = "services.*.deploy.update_config"
        case rollbackConfig = "services.*.deploy.rollback_config"
        case extends = "services.*.extends"
        case environmentFile = "services.*.env_file.*"
        case healthcheck = "services.*.healthcheck"
        case serviceNetwork = "services.*.networks.*"
        case port = "services.*.ports.*"
        case serviceSecret = "services.*.secrets.*"
        case mount = "services.*.volumes.*"
        case mountBind = "services.*.volumes.*.bind"
        case mountTmpfs = "services.*.volumes.*.tmpfs"
        case mountVolume = "services.*.volumes.*.volume"
        case network = "networks.*"
        case volume = "volumes.*"
        case secret = "secrets.*"
        case fileEscale = "x-escale"
        case fileRelease = "x-escale.release"
        case serviceEscale = "services.*.x-escale"
        case release = "services.*.x-escale.release"
        case releaseStep = "services.*.x-escale.release.steps.*"
        case releasePreview = "services.*.x-escale.release.preview"
        case releaseOverride = "services.*.x-escale.release.override"
        case analysis = "services.*.x-escale.release.analysis"
        case analysisQuery = "services.*.x-escale.release.analysis.prometheus"
        case http = "services.*.x-escale.http"
        case httpTLS = "services.*.x-escale.http.tls"
        case httpRateLimit = "services.*.x-escale.http.rate_limit"
        case httpEject = "services.*.x-escale.http.eject"
        case httpProxyProtocol = "services.*.x-escale.http.proxy_protocol"
    }
}

extension ComposeAttribute {
    /// Every attribute, by scope and name: what the loader goes by, and what the documentation lists.
    package static let table: [ComposeAttribute] =
        fileAttributes + serviceAttributes + servicePartAttributes + resourceAttributes

    /// The attributes of one scope, by name.
    package static func attributes(of scope: Scope) -> [String: ComposeAttribute] { byScope[scope] ?? [:] }

    private static let byScope: [Scope: [String: ComposeAttribute]] = Dictionary(grouping: table, by: \.scope)
        .mapValues { Dictionary($0.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }) }

    static func executed(_ scope: Scope, _ names: String...) -> [ComposeAttribute] {
        names.map { ComposeAttribute(scope: scope, name: $0, status: .executed, harmless: []) }
    }

    static func accepted(_ scope: Scope, _ name: String, _ why: String) -> [ComposeAttribute] {
        [ComposeAttribute(scope: scope, name: name, status: .accepted(why), harmless: [])]
    }

    static func warned(
        _ scope: Scope,
        _ names: String...,
        instead: String,
        harmless: Set<String> = []
    ) -> [ComposeAttribute] {
        names.map { ComposeAttribute(scope: scope, name: $0, status: .warned(instead), harmless: harmless) }
    }

    static func refused(
        _ scope: Scope,
        _ names: String...,
        hint: String,
        harmless: Set<String> = []
    ) -> [ComposeAttribute] {
        names.map { ComposeAttribute(scope: scope, name: $0, status: .refused(hint), harmless: harmless) }
    }
}

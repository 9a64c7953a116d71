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

    /// Whether nothing comes of it: it is warned of or refused.
    package var isDormant: Bool {
        switch status {
        case .executed, .accepted: false
        case .warned, .refused: true
        }
    }

    /// The place in a file, such as `services.*.ports.*.target`.
    package var path: String { scope.rawValue.isEmpty ? name : "\(scope.rawValue).\(name)" }
}

extension ComposeAttribute {
    /// Every attribute, by scope and name: what the loader goes by, and what the documentation lists.
    package static let table: [ComposeAttribute] =
        fileAttributes + serviceAttributes + buildAttributes + processAttributes + resourceAttributes
        + deployAttributes + updateAttributes + networkingAttributes + mountAttributes + sharedFileAttributes
        + releaseAttributes + gatewayAttributes

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

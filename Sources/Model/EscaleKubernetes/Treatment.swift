import EscaleCompose
import EscaleCore

/// What becomes of an attribute of a compose file in Kubernetes.
package enum Treatment: Hashable, Sendable {
    /// Means the same there; says what it becomes.
    case mapped(String)
    /// Becomes something; says what, and what differs.
    case approximated(String, difference: String)
    /// Has no counterpart; says what happens without it.
    case lost(String)
    /// Concerns files, builds or work on this machine, so that there is nothing to lose; says where it counts.
    case local(String)

    /// What the documentation calls it.
    package var word: String {
        switch self {
        case .mapped: "mapped"
        case .approximated: "approximated"
        case .lost: "lost"
        case .local: "local"
        }
    }
}

extension Treatment {
    /// Of the attribute at the path, such as `services.*.ports.*.target`: its own, else that of the nearest one around it.
    package static func of(_ path: String) -> Treatment? {
        var parts = path.split(separator: ".", omittingEmptySubsequences: false)
        while !parts.isEmpty {
            if let found = byPath[parts.joined(separator: ".")] { return found }
            parts.removeLast()
        }
        return nil
    }

    /// Of exactly this path.
    package static func ofItself(_ path: String) -> Treatment? { byPath[path] }

    private static let byPath = Dictionary(table.map { ($0.path, $0.treatment) }, uniquingKeysWith: { first, _ in first })

    package struct Row: Hashable, Sendable {
        /// As ``ComposeAttribute/path``.
        package let path: String
        package let treatment: Treatment
    }

    /// By path. What stands inside an attribute and is not listed is treated as the attribute is.
    package static let table: [Row] = topRows + serviceRows + deployRows + confinementRows + mountRows + networkRows + ownRows

    static func mapped(_ path: String, _ to: String) -> Row { Row(path: path, treatment: .mapped(to)) }

    static func approximated(_ path: String, _ to: String, but difference: String) -> Row {
        Row(path: path, treatment: .approximated(to, difference: difference))
    }

    static func lost(_ path: String, _ why: String) -> Row { Row(path: path, treatment: .lost(why)) }

    static func local(_ path: String, _ where: String) -> Row { Row(path: path, treatment: .local(`where`)) }
}

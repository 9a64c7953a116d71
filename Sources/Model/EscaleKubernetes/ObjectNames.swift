import EscaleCompose
import EscaleCore

/// The names that objects have in the cluster, and the labels by which they know one another.
struct ObjectNames {
    /// Of Escale's own labels and annotations.
    static let domain = "escale.dev"
    static let manager = "escale"

    let project: String
    private let services: [ServiceName: String]

    init(_ project: Project) {
        self.project = Self.label(project.name.rawValue)
        var taken: Set<String> = []
        var services: [ServiceName: String] = [:]
        // Names that need no change come first: they keep theirs.
        for name in project.services.map(\.name).sorted(by: { Self.rank($0) < Self.rank($1) }) {
            services[name] = Self.free(Self.label(name.rawValue), &taken)
        }
        self.services = services
    }

    /// The service's Deployment (or what it is instead), Service and pods.
    func service(_ name: ServiceName) -> String { services[name] ?? Self.label(name.rawValue) }

    /// By which pods of a service are found. Never changes: a Deployment's selector can't.
    func selector(_ name: ServiceName) -> [String: String] {
        ["app.kubernetes.io/name": service(name), "app.kubernetes.io/instance": project]
    }

    /// What every object of the project has.
    var common: [String: String] {
        [
            "app.kubernetes.io/instance": project, "app.kubernetes.io/part-of": project,
            "app.kubernetes.io/managed-by": Self.manager,
        ]
    }

    /// What pods on a network have.
    static func network(_ key: String) -> String { "network.\(domain)/\(label(key))" }

    /// The text as a DNS label that is good for every kind of object (RFC 1035): small letters, digits, `-`, at most 63.
    static func label(_ text: String) -> String {
        var label = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                label.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): label.unicodeScalars.append(Unicode.Scalar(byte + 32))
            default: if label.last != "-" { label.append("-") }
            }
        }
        if label.first?.isLetter != true { label = "x" + (label.hasPrefix("-") ? "" : "-") + label }
        label = String(label.prefix(63))
        while label.last == "-" { label.removeLast() }
        return label
    }

    /// The label, with a number behind it where it is taken.
    static func free(_ label: String, _ taken: inout Set<String>) -> String {
        var name = label
        var number = 2
        while !taken.insert(name).inserted {
            let suffix = "-\(number)"
            name = label.prefix(63 - suffix.utf8.count) + suffix
            number += 1
        }
        return name
    }

    private static func rank(_ name: ServiceName) -> (Int, String) {
        (label(name.rawValue) == name.rawValue ? 0 : 1, name.rawValue)
    }
}

import EscaleCore
import EscaleKubernetes

/// Options of the commands that map the project to Kubernetes.
protocol MappingCommandOptions: CommandOptions {
    var mapping: MappingOptions { get set }
    var strict: Bool { get set }
}

extension Flag where Options: MappingCommandOptions {
    /// How the project is mapped.
    static var mapping: [Flag<Options>] {
        [
            .value("namespace", "n", "NAME", "The namespace; the project's name without it") { $0.mapping.namespace = try label($1) },
            .value("registry", nil, "PREFIX", "Where the cluster finds images that are built here, such as registry.example.org/team") {
                $0.mapping.registry = $1.hasSuffix("/") ? String($1.dropLast()) : $1
            },
            .choice("publish", \.mapping.publishing, "How published ports are reached: HTTP by a route and others by a load balancer (auto), or all in one way"),
            .choice("routes", \.mapping.routing, "What leads HTTP to services"),
            .value("ingress-class", nil, "NAME", "The class of Ingresses, instead of the cluster's default") { $0.mapping.ingressClass = $1 },
            .value("gateway", nil, "[NAMESPACE/]NAME", "The Gateway of HTTPRoutes; \"default\" without it") { $0.mapping.gateway = $1 },
            .choice("secrets", \.mapping.secrecy, "Refer to Secrets, write their values too, or have them fetched from a store"),
            .value("secret-store", nil, "NAME", "The ClusterSecretStore of --secrets external") { $0.mapping.secretStore = $1 },
            .value("pull-secret", nil, "NAME", "A Secret by which nodes fetch images; may be given several times") { $0.mapping.pullSecrets.append($1) },
            .value("storage-class", nil, "NAME", "The class of volumes, instead of the cluster's default") { $0.mapping.storageClass = $1 },
            .toggle("strict", nil, \.strict, "Fail where something of the file is lost"),
        ]
    }

    /// RFC 1123.
    private static func label(_ text: String) throws -> String {
        let isLabel = !text.isEmpty && text.utf8.count <= 63 && text.first != "-" && text.last != "-"
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
                default: false
                }
            }
        guard isLabel else {
            throw EscaleError(.usage, "\"\(text)\" is no namespace", hint: "use small letters, digits and '-', at most 63")
        }
        return text
    }
}

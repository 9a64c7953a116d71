package import EscaleCore
import EscaleHTTP
import EscaleSystem
import EscaleYAML

/// How registries are reached, where that isn't by TLS at their own name: `/etc/escale/registries.yaml`, and certificates in
/// the directories where Docker and Podman look for them.
///
/// ```yaml
/// registries:
///   registry.example.org:5000:
///     insecure: true             # plain HTTP, or a certificate that nobody vouches for
///     mirrors: [https://mirror.example.org]
///     ca: /etc/ssl/private-ca.pem
/// ```
package struct RegistryConfiguration: Hashable, Sendable {
    struct Host: Hashable, Sendable {
        var isInsecure = false
        /// Asked first, in this order, for what is pulled.
        var mirrors: [HTTPURL] = []
        var authority: String?
        var certificate: String?
        var key: String?
    }

    private var hosts: [String: Host] = [:]

    package init() {}

    /// Reads the file; without one everything is as usual.
    ///
    /// - Throws: `registry.configuration` with every problem's place.
    package init(file: String) throws(EscaleError) {
        guard Files.exists(file) else { return }
        var reader = Reader(file: file)
        hosts = try reader.read(try Files.readText(file))
    }

    static let certificateDirectories = [
        "/etc/escale/certs.d", "/etc/docker/certs.d", "/etc/containers/certs.d",
    ]

    /// What is known of a registry. Certificates beside it (`ca.crt`, `client.cert`, `client.key`) are found by its name.
    func host(_ name: String) -> Host {
        var host = hosts[name] ?? Host()
        for directory in Self.certificateDirectories.map({ "\($0)/\(name)" })
        where Files.isDirectory(directory) {
            // A directory that can't be read has nothing to say.
            let files = (try? Files.list(directory)) ?? []
            host.authority =
                host.authority ?? files.first { $0.hasSuffix(".crt") }.map { "\(directory)/\($0)" }
            if host.certificate == nil, let certificate = files.first(where: { $0.hasSuffix(".cert") }),
                files.contains(certificate.dropLast(5) + ".key")
            {
                host.certificate = "\(directory)/\(certificate)"
                host.key = "\(directory)/\(certificate.dropLast(5)).key"
            }
        }
        return host
    }

    private struct Reader {
        let file: String
        var problems: [Diagnostic] = []

        mutating func read(_ text: String) throws(EscaleError) -> [String: Host] {
            var hosts: [String: Host] = [:]
            let document = YAMLDocument.parse(text: text, file: file)
            problems = document.diagnostics
            for pair in document.root.map({ pairs($0, "this file") }) ?? [] {
                guard pair.key == "registries" else {
                    problem(
                        "there is no \"\(pair.key)\" here",
                        pair.keyPosition,
                        hint: "write registries: and a mapping"
                    )
                    continue
                }
                for registry in pairs(pair.value, "registries") { hosts[registry.key] = host(registry.value) }
            }
            guard !problems.hasErrors else {
                throw EscaleError(
                    .init("registry.configuration"),
                    "\(file) can't be used",
                    diagnostics: problems.sortedByPosition()
                )
            }
            return hosts
        }

        private mutating func pairs(_ node: YAMLNode, _ what: String) -> [YAMLMapping.Pair] {
            if node.isNull { return [] }
            if let mapping = node.mapping { return mapping.pairs }
            problem("\(what) must be a mapping, not \(node.spokenKind)", node.position)
            return []
        }

        private mutating func host(_ node: YAMLNode) -> Host {
            var host = Host()
            for pair in pairs(node, "a registry") {
                let value = pair.value
                switch pair.key {
                case "insecure":
                    guard case .bool(let flag) = value.resolved else {
                        problem("insecure must be true or false", value.position)
                        continue
                    }
                    host.isInsecure = flag
                case "mirrors":
                    for item in value.sequence ?? [value] {
                        guard let text = item.scalar?.text, let url = HTTPURL(text) else {
                            problem("a mirror must be an http or https URL", item.position)
                            continue
                        }
                        host.mirrors.append(url)
                    }
                case "ca": host.authority = path(value)
                case "certificate": host.certificate = path(value)
                case "key": host.key = path(value)
                default:
                    problem(
                        "a registry has no \"\(pair.key)\"",
                        pair.keyPosition,
                        hint: "possible are insecure, mirrors, ca, certificate and key"
                    )
                }
            }
            return host
        }

        private mutating func path(_ node: YAMLNode) -> String? {
            guard let text = node.scalar?.text, text.hasPrefix("/"), Files.exists(text) else {
                problem("this must be the absolute path of a file that is there", node.position)
                return nil
            }
            return text
        }

        private mutating func problem(_ message: String, _ position: SourcePosition?, hint: String? = nil) {
            problems.append(
                Diagnostic(.error, .init("registry.configuration"), message, at: position, hint: hint)
            )
        }
    }
}

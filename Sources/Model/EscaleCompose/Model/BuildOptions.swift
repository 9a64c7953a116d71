package import EscaleCore

/// How an image is built, beyond its context, Dockerfile, arguments and target.
package struct BuildOptions: Codable, Hashable, Sendable {
    /// An SSH agent or key that the build can use.
    package struct Key: Codable, Hashable, Sendable {
        package var id: String
        /// `nil` for the agent that `SSH_AUTH_SOCK` names.
        package var path: String?
    }

    /// The text of the Dockerfile, instead of a file.
    package var dockerfileText: String?
    package var labels: [String: String]?
    package var tags: [String]?
    package var cacheFrom: [String]?
    package var cacheTo: [String]?
    package var ignoresCache: Bool?
    package var stagesWithoutCache: [String]?
    package var pulls: Bool?
    package var platforms: [String]?
    /// `true`, `false` or settings.
    package var provenance: String?
    package var billOfMaterials: String?
    /// By the name that the Dockerfile uses: paths, URLs, images.
    package var contexts: [String: String]?
    package var secrets: [SharedFileMount]?
    package var keys: [Key]?
    package var network: String?
    package var extraHosts: [HostEntry]?
    package var isPrivileged: Bool?
    package var entitlements: [String]?
    package var isolation: String?
    package var sharedMemory: ByteCount?
    package var ulimits: [String: Ulimit]?

    package init() {}

    /// The services whose images the build is given as contexts.
    package var serviceContexts: [ServiceName] {
        (contexts ?? [:]).values.filter { $0.hasPrefix("service:") }.sorted()
            .map { ServiceName(rawValue: String($0.dropFirst(8))) }
    }

    /// A cache as `cache_from` and `cache_to` name it, with the directory of a local one made absolute.
    package static func cache(_ text: String, resolvingPathsWith resolve: (String) -> String) -> String {
        guard text.split(separator: ",").contains("type=local") else { return text }
        return text.split(separator: ",").map { field in
            for name in ["src=", "dest="] where field.hasPrefix(name) { return name + resolve(String(field.dropFirst(name.count))) }
            return String(field)
        }
        .joined(separator: ",")
    }
}

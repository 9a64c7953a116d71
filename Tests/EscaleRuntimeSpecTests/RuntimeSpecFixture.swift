import EscaleCore
import EscaleOCI
import EscaleTestExpectations
import FoundationEssentials
import Testing

/// The specification as it is written to `config.json`: sorted keys, one value a line.
func json(_ spec: RuntimeSpec) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(spec), as: UTF8.self) + "\n"
}

/// A plain container that runs `true`.
func plain() -> ContainerSpec {
    ContainerSpec(
        id: ContainerID(rawValue: String(repeating: "5", count: 64)), arguments: ["/bin/true"],
        environment: ["PATH": "/bin", "A": "1"], hostname: "web")
}

extension RuntimeSpec {
    /// With fixed paths, and without a seccomp profile, which is the host's and long.
    init(_ spec: ContainerSpec, files: [String: String] = [:], profile: SeccompProfile? = nil) {
        self.init(
            spec, rootPath: "/run/escale/containers/5/rootfs", cgroup: "/escale/5", files: files, profile: profile)
    }
}

/// What other tools read from `config.json`; only what the tests look at.
struct ReadSpec: Decodable {
    struct Mount: Decodable {
        var destination: String
        var type: String
        var source: String
        var options: [String]
    }
    struct Capabilities: Decodable {
        var bounding: [String]
        var effective: [String]
        var permitted: [String]
        var inheritable: [String]?
        var ambient: [String]?
    }
    struct Process: Decodable {
        var args: [String]
        var capabilities: Capabilities
        var noNewPrivileges: Bool
    }
    struct Device: Decodable, Hashable {
        var allow: Bool
        var type: String?
        var major: Int?
        var minor: Int?
        var access: String
    }
    struct Resources: Decodable { var devices: [Device] }
    struct Rule: Decodable {
        var names: [String]
        var action: String
        var errnoRet: Int?
        struct Argument: Decodable { var index: Int }
        var args: [Argument]?
    }
    struct Seccomp: Decodable {
        var defaultAction: String
        var defaultErrnoRet: Int?
        var architectures: [String]
        var syscalls: [Rule]
    }
    struct Namespace: Decodable { var type: String }
    struct Linux: Decodable {
        var namespaces: [Namespace]
        var resources: Resources
        var sysctl: [String: String]
        var seccomp: Seccomp?
        var maskedPaths: [String]
        var readonlyPaths: [String]
    }
    var process: Process
    var mounts: [Mount]
    var linux: Linux

    init(_ spec: RuntimeSpec) throws {
        self = try JSONDecoder().decode(ReadSpec.self, from: Data(try json(spec).utf8))
    }
}

/// Compares with `Tests/Golden/runtime/NAME.json`.
func expectSpec(_ name: String, _ spec: RuntimeSpec, sourceLocation: SourceLocation = #_sourceLocation) throws {
    try expectGolden(try json(spec), "Tests/Golden/runtime/\(name).json", sourceLocation: sourceLocation)
}

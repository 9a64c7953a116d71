import EscaleCore
import EscaleDockerfile
import EscaleImages

/// The values of `--build-arg`, and the rules for where they are seen.
struct BuildArguments: Sendable {
    /// As given by the user.
    let given: [String: String]
    /// The `ARG`s before the first `FROM`, with the values they came to.
    let global: [String: String]

    /// Known without an `ARG`, in `RUN` only, and no reason to run a step again.
    static let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap {
        [$0, $0.lowercased()]
    }

    static var platform: [String: String] {
        let architecture = hostArchitecture()
        var values: [String: String] = [:]
        for side in ["TARGET", "BUILD"] {
            values[side + "PLATFORM"] = "linux/" + architecture
            values[side + "OS"] = "linux"
            values[side + "ARCH"] = architecture
            values[side + "VARIANT"] = ""
        }
        return values
    }

    init(_ given: [String: String], _ dockerfile: Dockerfile) throws(EscaleError) {
        self.given = given
        let platform = Self.platform
        var global: [String: String] = [:]
        for declaration in dockerfile.arguments {
            if let value = given[declaration.name] {
                global[declaration.name] = value
            } else if let value = declaration.value {
                do throws(EscaleError) {
                    global[declaration.name] = try expandWord(value, escape: dockerfile.escape) {
                        global[$0] ?? platform[$0]
                    }
                } catch {
                    throw error.placed(at: declaration.position)
                }
            }
        }
        self.global = global.merging(platform) { own, _ in own }
    }

    /// What an `ARG` within a stage comes to; `nil` where it stays unset.
    func value(_ name: String, default value: String?) -> String? { given[name] ?? value ?? global[name] }

    /// The given ones that no `ARG` asks for.
    func unused(in dockerfile: Dockerfile) -> [String] {
        var declared = Set(dockerfile.arguments.map(\.name) + Self.proxies)
        for instruction in dockerfile.stages.flatMap(\.instructions) {
            if case .argument(let declarations) = instruction.kind {
                declared.formUnion(declarations.map(\.name))
            }
        }
        return given.keys.filter { !declared.contains($0) }.sorted()
    }
}

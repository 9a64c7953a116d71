import EscaleCore
import EscaleDockerfile
import EscaleImages
import EscaleOCI

/// The values of `--build-arg`, and the rules for where they are seen.
struct BuildArguments: Sendable {
    /// As given by the user.
    let given: [String: String]
    /// The `ARG`s before the first `FROM`, with the values they came to.
    let global: [String: String]
    /// Seconds since 1970 that no time in the image is after: `SOURCE_DATE_EPOCH`. `nil` for the times as they are.
    let epoch: Int64?

    /// Known without an `ARG`, in `RUN` only, and no reason to run a step again.
    static let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap {
        [$0, $0.lowercased()]
    }

    /// Mean something without an `ARG`.
    private static let known = ["SOURCE_DATE_EPOCH", "BUILDKIT_DOCKERFILE_CHECK", "BUILDKIT_INLINE_CACHE"]

    private static func platform(_ target: String?) throws(EscaleError) -> [String: String] {
        let host = ImagePlatform.host
        let target = try target.map { text throws(EscaleError) in try ImagePlatform(text) } ?? host
        var values: [String: String] = [:]
        for (side, platform) in [("TARGET", target), ("BUILD", host)] {
            values[side + "PLATFORM"] = platform.description
            values[side + "OS"] = platform.os
            values[side + "ARCH"] = platform.architecture
            values[side + "VARIANT"] = platform.variant ?? ""
        }
        return values
    }

    /// - Parameter target: the platform that the image is for; `nil` for this machine's.
    init(_ given: [String: String], _ dockerfile: Dockerfile, platform target: String? = nil) throws(EscaleError) {
        self.given = given
        epoch = try given["SOURCE_DATE_EPOCH"].flatMap { text throws(EscaleError) in
            if text.isEmpty { return nil }
            guard let seconds = Int64(text), (0...0xFFFF_FFFF).contains(seconds) else {
                throw EscaleError(
                    .init("build.argument"),
                    "SOURCE_DATE_EPOCH is \"\(text)\", which is no number of seconds since 1970",
                    hint: "set it like SOURCE_DATE_EPOCH=$(git log -1 --format=%ct), or unset it"
                )
            }
            return seconds
        }
        let platform = try Self.platform(target)
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

    /// Whether `BUILDKIT_INLINE_CACHE` asks for what `cache_to: type=inline` does.
    var isInlineCache: Bool { given["BUILDKIT_INLINE_CACHE"].map { ["1", "t", "true"].contains($0.lowercased()) } ?? false }

    /// The given ones that no `ARG` asks for.
    func unused(in dockerfile: Dockerfile) -> [String] {
        var declared = Set(dockerfile.arguments.map(\.name) + Self.proxies + Self.known)
        for instruction in dockerfile.stages.flatMap(\.instructions) {
            if case .argument(let declarations) = instruction.kind {
                declared.formUnion(declarations.map(\.name))
            }
        }
        return given.keys.filter { !declared.contains($0) }.sorted()
    }
}

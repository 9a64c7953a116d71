package import EscaleCore
package import EscaleOCI

/// What to build.
package struct BuildRequest: Codable, Hashable, Sendable {
    /// Absolute.
    package var contextDirectory: String
    /// Absolute; `nil` for the context's `Dockerfile`.
    package var dockerfilePath: String?
    /// The Dockerfile's text, instead of a file.
    package var inlineDockerfile: String?
    /// A stage's name or number; `nil` for the last one.
    package var target: String?
    package var arguments: [String: String]
    /// What the image is called afterwards. May be empty.
    package var references: [ImageReference]
    /// Runs every step, whatever is cached.
    package var ignoresCache: Bool
    /// Names of stages whose steps all run.
    package var stagesWithoutCache: Set<String> = []
    /// By the id that `RUN --mount=type=secret` uses.
    package var secrets: [String: BuildSecret] = [:]
    /// Sockets of SSH agents, by the id that `RUN --mount=type=ssh` uses.
    package var agents: [String: String] = [:]
    /// By the name that `FROM` and `--from` use.
    package var contexts: [String: BuildContext] = [:]
    /// Put on the image, besides those of the Dockerfile.
    package var labels: [String: String] = [:]
    /// Whether base images are asked for at their registries, also where they are here.
    package var pulls = false
    /// What the image is for, such as `linux/arm64`; `nil` for this machine.
    package var platform: String?
    /// Of `RUN` steps that say nothing else.
    package var network = BuildRun.Network.usual
    /// More lines of `/etc/hosts`: names with their addresses.
    package var extraHosts: [String: [String]] = [:]
    package var limits: ContainerLimits?
    /// Keeps what a failed `RUN` left, for ``Builder/failure(_:)``.
    package var keepsFailure = false

    package init(
        contextDirectory: String,
        dockerfilePath: String? = nil,
        inlineDockerfile: String? = nil,
        target: String? = nil,
        arguments: [String: String] = [:],
        references: [ImageReference] = [],
        ignoresCache: Bool = false
    ) {
        self.contextDirectory = contextDirectory
        self.dockerfilePath = dockerfilePath
        self.inlineDockerfile = inlineDockerfile
        self.target = target
        self.arguments = arguments
        self.references = references
        self.ignoresCache = ignoresCache
    }
}

/// Something that a build may see and that never gets into an image or the cache.
package enum BuildSecret: Codable, Hashable, Sendable {
    /// A host file.
    case file(String)
    case text(String)
}

/// A tree of files with a name of its own, besides the build context.
package enum BuildContext: Codable, Hashable, Sendable {
    case directory(String)
    case image(String)
}

/// One instruction that a build goes through.
package struct BuildStep: Codable, Hashable, Sendable {
    /// Unique within the build.
    package let id: Int
    /// The stage's name, or `stage-0`.
    package let stage: String
    /// Within the stage, from 1; the `FROM` is the first.
    package let number: Int
    package let count: Int
    package let text: String
    package let position: SourcePosition

    /// `web 3/7`
    package var label: String { "\(stage) \(number)/\(count)" }
}

/// What happens during a build, in order within each step. Stages run side by side, so steps of several may mix.
package enum BuildEvent: Codable, Hashable, Sendable {
    case began(steps: Int)
    case warning(Diagnostic)
    case stepStarted(BuildStep)
    /// Nothing had to be done: the result was there from before. No other event of the step follows.
    case stepCached(BuildStep)
    /// A line of a command's output, without its line break.
    case output(step: Int, line: String)
    case stepFinished(BuildStep, seconds: Double)
    case stepFailed(BuildStep, seconds: Double)
    case finished(image: Digest, seconds: Double)
}

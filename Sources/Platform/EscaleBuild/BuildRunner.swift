package import EscaleOCI

/// Runs the commands of `RUN`. The engine implements it with an ordinary container.
package protocol BuildRunner: Sendable {
    /// Runs the command in a container whose root is the overlay of the run's layers and upper directory.
    ///
    /// - Parameter output: sees what the command writes to either stream, as it comes.
    /// - Returns: the exit code, or 128 + the signal.
    /// - Throws: where the command could not be started; `CancellationError`, after ending it.
    func run(_ step: BuildRun, output: @escaping @Sendable ([UInt8]) async -> Void) async throws -> Int32
}

/// One command of a build. The upper directory becomes the layer, so nothing but the command must write there.
///
/// Overlays are to be mounted with ``overlayOptions``: a layer must make sense without the layers below it.
package struct BuildRun: Hashable, Sendable {
    /// Topmost first, names relative to the store's layers directory.
    package var lower: [String]
    /// Absolute, on the store's file system, empty.
    package var upper: String
    package var work: String
    package var arguments: [String]
    package var environment: [String: String]
    /// Absolute, inside the container; it exists.
    package var workingDirectory: String
    /// As in a Dockerfile's `USER`; empty for root.
    package var user: String
    package var mounts: [ContainerSpec.Mount] = []
    package var network = Network.usual
    package var extraHosts: [String: [String]] = [:]
    package var limits: ContainerLimits?

    /// What the command reaches.
    package enum Network: String, Codable, Hashable, Sendable {
        /// The builder's own network, with a way out.
        case usual = "default"
        case none
        /// The host's own.
        case host
    }

    package init(
        lower: [String],
        upper: String,
        work: String,
        arguments: [String],
        environment: [String: String],
        workingDirectory: String,
        user: String
    ) {
        self.lower = lower
        self.upper = upper
        self.work = work
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
    }

    /// What the mount's data must have besides the directories.
    package static let overlayOptions = "redirect_dir=off,metacopy=off,index=off"

    /// The mount's data, with the layers directory as the working directory.
    package var overlayData: String {
        "lowerdir=\(lower.joined(separator: ":")),upperdir=\(upper),workdir=\(work),\(Self.overlayOptions)"
    }
}

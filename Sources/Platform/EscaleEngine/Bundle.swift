import EscaleCore
package import EscaleOCI
import EscaleSystem
import FoundationEssentials
import Glibc

/// Everything that a container needs to be made: its specification, its image's layers and its files.
package struct ContainerBlueprint: Codable, Hashable, Sendable {
    package var spec: ContainerSpec
    /// For people: `project-service-1`.
    package var name: String
    /// The image's layers as overlayfs wants them: topmost first, relative to the layers' directory.
    package var layers: [String]
    /// Where its changes go; `nil` for a place of the engine's that lives as long as the container.
    package var writable: WritableLayer?
    /// The OCI runtime, absolute; `nil` for the engine's.
    package var runtime: String?
    /// The control group below which its own is made, such as `/batch`; `nil` for the engine's.
    package var cgroupParent: String?
    /// `nil` for one that reads from nothing.
    package var input: StandardInput?

    package enum StandardInput: String, Codable, Hashable, Sendable {
        /// Ends when whoever was attached goes.
        case untilDetached
        /// Stays open, whoever comes and goes.
        case keptOpen
    }
    /// What becomes of its output; `nil` for files without a bound.
    package var logging: LogSettings?

    package init(
        spec: ContainerSpec, name: String, layers: [String], writable: WritableLayer? = nil, logging: LogSettings? = nil
    ) {
        self.logging = logging
        self.spec = spec
        self.name = name
        self.layers = layers
        self.writable = writable
    }
}

/// The writable part of a root that somebody else owns, such as a layer being built.
package struct WritableLayer: Codable, Hashable, Sendable {
    /// Absolute, on one file system.
    package var upper: String
    package var work: String
    /// More of overlayfs' mount options, separated by commas.
    package var options: String

    package init(upper: String, work: String, options: String) {
        self.upper = upper
        self.work = work
        self.options = options
    }
}

/// The directories of one container: what is lost with the machine's memory, and what is kept.
struct Bundle: Sendable {
    /// Under `/run`: the OCI bundle, process numbers, the exit file.
    let directory: String
    /// Under `/var/lib`: the writable layer, the log, and the files mounted into the container.
    let state: String

    var root: String { "\(directory)/rootfs" }
    /// conmon writes the exit code there, in a file with the container's id for its name.
    var exitDirectory: String { directory }
    var processFile: String { "\(directory)/pid" }
    var conmonFile: String { "\(directory)/conmon.pid" }
    var outOfMemoryMark: String { "\(directory)/oom" }
    var upper: String { "\(state)/upper" }
    var work: String { "\(state)/work" }
    var logFiles: LogFiles { LogFiles(directory: state) }
    /// Where conmon takes commands.
    var control: String { "\(directory)/ctl" }
    func file(_ name: String) -> String { "\(state)/\(name)" }
    /// What is run in the container besides its own program.
    func commandFile(_ name: String) -> String { "\(directory)/\(Self.commandPrefix)\(name)" }
    private static let commandPrefix = "command-"

    /// The overlay that is the container's root, for a private mount namespace.
    func overlay(of blueprint: ContainerBlueprint) -> PrivateMount {
        let writable = blueprint.writable ?? WritableLayer(upper: upper, work: work, options: "")
        var data = "lowerdir=\(blueprint.layers.joined(separator: ":"))"
        data += ",upperdir=\(writable.upper),workdir=\(writable.work)"
        if !writable.options.isEmpty { data += ",\(writable.options)" }
        return PrivateMount(source: "overlay", target: root, type: "overlay", data: data)
    }

    /// Makes the directories; an earlier run's remains in the bundle go, the writable layer and the log stay.
    func prepare() throws(EscaleError) {
        try Files.remove(directory)
        for path in [root, upper, work] { try Files.createDirectories(path, mode: 0o755) }
        // The container's root directory has the mode of the image's; others on the host have no business in it.
        chmod(state, 0o700)
    }

    /// The specification with its files written, into the machine's memory: some of them are secrets.
    func providing(_ spec: ContainerSpec) throws(EscaleError) -> ContainerSpec {
        var spec = spec
        let directory = "\(directory)/files"
        for index in spec.mounts.indices {
            guard case .file(let file) = spec.mounts[index].kind else { continue }
            try Files.createDirectories(directory, mode: 0o700)
            let path = "\(directory)/\(index)"
            let bytes =
                switch file.contents {
                case .text(let text): Array(text.utf8)
                case .copy(let source): try Files.read(source)
                }
            try Files.write(path, bytes, mode: 0o600)
            // The owner first: it takes special bits away.
            guard chown(path, file.user, file.group) == 0, chmod(path, file.mode) == 0 else {
                throw Errno.current.during("make the file for \(spec.mounts[index].target)")
            }
            spec.mounts[index].kind = .bind(source: path)
        }
        return spec
    }

    /// Removes the files of commands that have been read long ago. Best effort: they go with the container.
    func removeOldCommands() {
        for name in (try? Files.list(directory)) ?? [] where name.hasPrefix(Self.commandPrefix) {
            var info = stat()
            let path = "\(directory)/\(name)"
            if stat(path, &info) == 0, time(nil) - info.st_mtim.tv_sec > 60 { try? Files.remove(path) }
        }
    }

    func write(_ spec: RuntimeSpec) throws(EscaleError) { try write(spec, to: "\(directory)/config.json") }

    func write(_ part: some Encodable, to file: String) throws(EscaleError) {
        do {
            try Files.write(file, try JSONEncoder().encode(part), mode: 0o600)
        } catch {
            throw EscaleError(wrapping: error)
        }
    }
}

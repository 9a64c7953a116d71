package import EscaleCore
import EscaleSystem
import Glibc

/// Named volumes: directories that outlive containers.
package struct VolumeStore: Sendable {
    private let root: String
    private let layers: String
    /// An empty directory to mount on, in private namespaces only.
    private let mountPoint: String

    /// - Parameters:
    ///   - directories: `volumes` below the state directory is the store's.
    package init(_ directories: EngineDirectories) {
        root = "\(directories.state)/volumes"
        layers = directories.layers
        mountPoint = "\(directories.runtime)/seed"
    }

    /// Where the volume's data are on the host.
    package func path(_ name: VolumeName) -> String { "\(root)/\(name)/_data" }

    /// Makes an empty one; an existing one stays as it is.
    package func create(_ name: VolumeName) async throws {
        try await blocking { try Files.createDirectories(path(name)) }
    }

    /// Deletes it with its data.
    package func remove(_ name: VolumeName) async throws {
        try await blocking {
            // Renamed first, so that a half-deleted one is never taken for a volume.
            let doomed = "\(root)/.removing-\(name)"
            try Files.remove(doomed)
            if rename("\(root)/\(name)", doomed) == 0 { try Files.remove(doomed) }
        }
    }

    package func list() throws -> [VolumeName] {
        try Files.list(root).filter { !$0.hasPrefix(".") }.map(VolumeName.init(rawValue:))
    }

    /// Fills an empty volume with what the image has at the path, owners and modes included, as Docker does.
    ///
    /// It is filled in place, since containers may have it mounted already; a mark beside it says that a copy was cut
    /// short, and the next one starts over. Not to be called twice at a time for one volume.
    package func seed(_ name: VolumeName, from image: [String], at path: String) async throws {
        let target = self.path(name)
        let mark = "\(root)/\(name)/.seeding"
        let isEmpty = try await blocking {
            try Files.createDirectories(mountPoint)
            if Files.exists(mark) {
                for entry in try Files.list(target) { try Files.remove("\(target)/\(entry)") }
            }
            guard try Files.list(target).isEmpty else { return false }
            try Files.write(mark, [])
            return true
        }
        guard isEmpty else { return }
        let mount =
            image.count == 1
            ? PrivateMount(
                source: "\(layers)/\(image[0])", target: mountPoint, type: "none", flags: PrivateMount.bind)
            : PrivateMount(
                source: "overlay", target: mountPoint, type: "overlay", flags: PrivateMount.readOnly,
                data: "lowerdir=\(image.joined(separator: ":"))")
        let command = Command(
            "/bin/cp", ["-a", "-T", ".", target], directory: path, directoryRoot: mountPoint,
            namespace: MountNamespace(mounts: [mount], directory: layers))
        do {
            let result = try await command.run()
            guard result.status == 0 else {
                throw EscaleError(
                    .init("volume.seed-failed"), "volume \(name) can't be filled from the image's \(path)",
                    hint: "free some space, or check the image's content", details: [.init("cp", result.tail())])
            }
        } catch let error as EscaleError where error.code.rawValue == "system.not-found" {
            // The image has nothing there: the volume stays empty.
        }
        try await blocking { try Files.remove(mark) }
    }
}

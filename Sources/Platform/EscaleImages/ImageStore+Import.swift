import EscaleArchive
import EscaleCore
package import EscaleOCI
import EscaleSystem
import Glibc

extension ImageStore {
    /// Makes an image of one layer from the archive of a root file system, as `docker import` does.
    ///
    /// - Parameters:
    ///   - path: a tar archive, plain or compressed with gzip, zstd or xz.
    ///   - defaults: what containers of the image run.
    /// - Throws: `archive.*`; `image.archive-kind` for an archive that `docker save` or a like made; `system.*`.
    package func importTar(
        _ path: String,
        as reference: ImageReference,
        defaults: ImageDefaults = .standard
    ) async throws -> StoredImage {
        let lease = lease()
        defer { withExtendedLifetime(lease) {} }
        return try await blocking {
            let area = try self.makeWorkArea()
            defer { self.discard(area) }
            let file = try FileDescriptor(path, O_RDONLY)
            let size = try FileStatus(file).size
            _ = try self.unpack(
                FileSource(file, name: path, count: size), path, size: size, into: area.upper, as: nil)
            try refuseSavedImage(area.upper, path)
            return try self.createSingleLayerImage(
                area.upper,
                as: reference,
                defaults: defaults,
                comment: "imported from \(lastName(path))",
                at: .now
            )
        }
    }

    /// Makes an image whose only layer is that directory, which must be in a work area.
    func createSingleLayerImage(
        _ directory: String,
        as reference: ImageReference,
        defaults: ImageDefaults,
        comment: String,
        at created: Timestamp
    ) throws -> StoredImage {
        let layer = try commit(directory)
        let config = ImageConfig(
            created: created,
            architecture: hostArchitecture(),
            config: defaults,
            history: [ImageHistory(created: created, comment: comment, emptyLayer: layer == nil)]
        )
        return try create(config, layers: layer.map { [$0] } ?? [], references: [reference])
    }
}

extension ImageDefaults {
    /// What a root file system runs that says nothing of itself: the usual `PATH`.
    package static var standard: ImageDefaults {
        var defaults = ImageDefaults()
        defaults.setEnvironment("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        return defaults
    }
}

/// This machine's architecture as images name it.
package func hostArchitecture() -> String {
    var name = utsname()
    uname(&name)
    let machine = withUnsafeBytes(of: &name.machine) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    return switch machine {
    case "x86_64": "amd64"
    case "aarch64": "arm64"
    case "i686", "i386": "386"
    case let machine where machine.hasPrefix("arm"): "arm"
    default: machine
    }
}

private func lastName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

private func refuseSavedImage(_ directory: String, _ path: String) throws {
    let names = Set(try Files.list(directory))
    guard names.isDisjoint(with: ["bin", "etc", "usr", "lib"]) else { return }
    if names.contains("oci-layout") { throw EscaleError.wrongArchive(path, "an OCI image archive") }
    if names.contains("manifest.json") {
        throw EscaleError.wrongArchive(path, "an archive made by `docker save`")
    }
}

extension ImagePlatform {
    /// This machine's.
    package static var host: ImagePlatform { ImagePlatform(architecture: hostArchitecture()) }
}

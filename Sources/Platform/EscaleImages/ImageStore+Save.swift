import EscaleArchive
import EscaleCore
import EscaleCrypto
import EscaleOCI
import EscaleSystem
import Glibc

/// What `image save` writes.
package enum ImageArchiveFormat: String, CaseIterable, Codable, Sendable {
    /// What `docker load` and nearly everything else reads.
    case docker = "docker-archive"
    /// An OCI image layout.
    case oci = "oci-archive"
}

extension ImageStore {
    /// Writes images into an archive. The same images give the same bytes.
    ///
    /// - Parameter names: names or ids; what has no name in them is in the archive without one.
    /// - Throws: `image.not-found`, `image.ambiguous`, `system.*`; an archive that was there before stays then.
    package func save(_ names: [String], to path: String, format: ImageArchiveFormat) async throws {
        let lease = lease()
        defer { withExtendedLifetime(lease) {} }
        var images: [(image: StoredImage, names: [ImageReference])] = []
        for name in names {
            let image = try image(name)
            let reference = (try? ImageReference(name)).flatMap { image.references.contains($0) ? $0 : nil }
            if let index = images.firstIndex(where: { $0.image.id == image.id }) {
                images[index].names += reference.map { [$0] } ?? []
            } else {
                images.append((image, reference.map { [$0] } ?? []))
            }
        }
        try await blocking { [images] in
            let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
            guard Files.isDirectory(directory) else {
                throw EscaleError(
                    .init("image.save"),
                    "there is no directory \(directory) to write the archive into",
                    hint: "make it first"
                )
            }
            let temporary = "\(path).\(hexadecimal(UInt32.random(in: 0 ... .max))).tmp"
            do {
                let file = try FileDescriptor(temporary, O_WRONLY | O_CREAT | O_EXCL)
                let writer = try ArchiveWriter { try file.write($0) }
                switch format {
                case .docker: try self.writeDocker(images, writer)
                case .oci: try self.writeLayout(images, writer)
                }
                try writer.finish()
                try check("put \(path) into place") { rename(temporary, path) }
            } catch {
                unlink(temporary)
                throw error
            }
        }
    }

    private struct DockerEntry: Encodable {
        let Config: String
        let RepoTags: [String]
        let Layers: [String]
    }

    private func writeDocker(
        _ images: [(image: StoredImage, names: [ImageReference])],
        _ writer: ArchiveWriter
    ) throws {
        var written: Set<Digest> = []
        var entries: [DockerEntry] = []
        for (image, names) in images {
            for layer in image.layers where written.insert(layer).inserted {
                try writer.addDirectory(layer.hex)
                try writer.add("\(layer.hex)/layer.tar", size: archiveSize(of: layer)) {
                    try self.writeArchive(of: layer, to: $0)
                }
            }
            let config = try blob(image.id)
            if written.insert(image.id).inserted { try writer.add("\(image.id.hex).json", config) }
            entries.append(
                DockerEntry(
                    Config: "\(image.id.hex).json",
                    RepoTags: names.map(\.familiar),
                    Layers: image.layers.map { "\($0.hex)/layer.tar" }
                )
            )
        }
        try writer.add("manifest.json", encodeJSON(entries))
    }

    private func writeLayout(
        _ images: [(image: StoredImage, names: [ImageReference])],
        _ writer: ArchiveWriter
    ) throws {
        var written: Set<Digest> = []
        var index = ImageIndexDocument(manifests: [])
        try writer.add("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        try writer.addDirectory("blobs")
        try writer.addDirectory("blobs/sha256")
        for (image, names) in images {
            let manifest = try layoutManifest(image)
            let document = try decodeManifest(ImageManifest.self, manifest, image.manifest)
            for (layer, descriptor) in zip(image.layers, document.layers)
            where written.insert(descriptor.digest).inserted {
                try writer.add("blobs/sha256/\(descriptor.digest.hex)", size: descriptor.size) { sink in
                    if descriptor.digest == layer { return try self.writeArchive(of: layer, to: sink) }
                    let source = FileSource(
                        try self.openBlob(descriptor.digest),
                        name: "layer",
                        count: descriptor.size
                    )
                    while true {
                        let piece = try source.next()
                        if piece.isEmpty { return }
                        try sink(piece)
                    }
                }
            }
            let digest = SHA256.digest(of: manifest)
            for (digest, bytes) in [(image.id, try blob(image.id)), (digest, manifest)]
            where written.insert(digest).inserted {
                try writer.add("blobs/sha256/\(digest.hex)", bytes)
            }
            var entry = Descriptor(
                mediaType: document.mediaType ?? MediaType.manifest,
                digest: digest,
                size: Int64(manifest.count)
            )
            for name in names.isEmpty ? [nil] : names.map(Optional.some) {
                entry.annotations = name.map {
                    [
                        "io.containerd.image.name": $0.canonical,
                        "org.opencontainers.image.ref.name": $0.canonical,
                    ]
                }
                index.manifests.append(entry)
            }
        }
        try writer.add("index.json", encodeJSON(index))
    }

    /// The image's own manifest where all it names can be written, else one of the layers as they are here.
    private func layoutManifest(_ image: StoredImage) throws -> [UInt8] {
        let own = try blob(image.manifest)
        let document = try decodeManifest(ImageManifest.self, own, image.manifest)
        let canBeWritten = zip(image.layers, document.layers).allSatisfy { layer, descriptor in
            descriptor.digest == layer || blobSize(descriptor.digest) == descriptor.size
        }
        if canBeWritten, document.config.mediaType == MediaType.config { return own }
        return try plainManifest(image.id, Int64(blob(image.id).count), image.config)
    }
}

extension ArchiveWriter {
    fileprivate func addDirectory(_ name: String) throws {
        try add(TreeEntry(path: Array(name.utf8), kind: .directory, permissions: 0o755))
    }

    fileprivate func add(_ name: String, _ bytes: [UInt8]) throws {
        try add(name, size: Int64(bytes.count)) { sink in try bytes.withUnsafeBytes { try sink($0) } }
    }

    fileprivate func add(
        _ name: String,
        size: Int64,
        _ body: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        try add(TreeEntry(path: Array(name.utf8), kind: .file(size: size), permissions: 0o644), writing: body)
    }
}

import EscaleArchive
package import EscaleCore
import EscaleCrypto
package import EscaleOCI
import EscaleSystem
import Glibc
import Synchronization

extension ImageStore {
    /// The layer's one archive, not compressed: the bytes that its digest is of.
    ///
    /// - Parameter sink: takes them, piece by piece.
    /// - Throws: `image.layer-missing`, `system.*`. Blocks.
    package func writeArchive(of layer: Digest, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let record = state.withLock({ $0.layers[layer] }) else { throw EscaleError.missingLayer(layer) }
        guard let original = record.original else {
            try packLayer("\(layersDirectory)/\(Self.layerName(layer))", to: sink)
            return
        }
        let source = FileSource(
            try openBlob(original.digest),
            name: "layer \(layer.short)",
            count: original.size
        )
        let plain = try Decompressor(source, name: "layer \(layer.short)")
        while true {
            let piece = try plain.next()
            if piece.isEmpty { return }
            try sink(piece)
        }
    }

    /// How large ``writeArchive(of:to:)`` comes out.
    package func archiveSize(of layer: Digest) throws -> Int64 {
        guard let record = state.withLock({ $0.layers[layer] }) else { throw EscaleError.missingLayer(layer) }
        return record.archiveBytes
    }

    /// How a registry knows the layer: as it came from one, or as it was compressed for one before.
    package func compressedLayer(_ layer: Digest) -> Descriptor? {
        guard let record = state.withLock({ $0.layers[layer] }) else { return nil }
        if let original = record.original, MediaType.isCompressedLayer(original.mediaType) { return original }
        return record.compressed
    }

    /// Compresses a layer for a registry, into a blob that is not in the store yet.
    ///
    /// The same layer gives the same bytes with the same zlib. Blocks.
    /// - Returns: the blob and what it will be; the caller commits it, or lets it go.
    package func compress(_ layer: Digest) throws -> (blob: BlobWriter, descriptor: Descriptor) {
        let blob = try newBlob()
        var hasher: SHA256? = SHA256()
        let writer = try GzipStream { bytes in
            hasher?.update(bytes)
            try blob.write(bytes)
        }
        try writeArchive(of: layer) { try writer.write($0) }
        try writer.finish()
        guard let digest = hasher.take()?.finish() else { throw EscaleError(.internalFault, "no digest") }
        let descriptor = Descriptor(mediaType: MediaType.gzipLayer, digest: digest, size: blob.count)
        let record = state.withLock { state -> LayerRecord? in
            state.layers[layer]?.compressed = descriptor
            return state.layers[layer]
        }
        if let record { try write(record) }
        return (blob, descriptor)
    }
}

package import EscaleCore

/// Compresses bytes with gzip, piece by piece, for whoever takes them. The same bytes give the same result with the same
/// zlib: the header has no time and no name. Blocks.
package final class GzipStream {
    private let writer: ArchiveWriter

    /// - Parameter sink: takes the compressed bytes; what it throws comes out of the call that wrote them.
    package init(to sink: @escaping (UnsafeRawBufferPointer) throws -> Void) throws(EscaleError) {
        writer = try ArchiveWriter(compression: .gzip, format: .raw, sink: sink)
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws { try writer.writeRaw(bytes) }

    /// Writes the end. To be called once.
    package func finish() throws { try writer.finish() }
}

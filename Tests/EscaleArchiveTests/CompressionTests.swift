import EscaleArchive
import EscaleCore
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

private func all(_ source: any ByteSource) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
        let piece = try source.next()
        if piece.isEmpty { return bytes }
        bytes += Array(piece)
    }
}

private func code(_ error: any Error) -> String? { (error as? EscaleError)?.code.rawValue }

@Suite struct CompressionTests {
    private static let text = (0..<40_000).map { "line \($0)\n" }.joined()

    /// Compresses the text with a program of the system.
    private func compressed(_ program: String, _ scratch: ScratchDirectory, _ text: String = text) async throws -> String {
        try scratch.file("text", text)
        let result = try await Command("/usr/bin/env", ["--chdir=\(scratch.path)", program, "-q", "-k", "-f", "text"])
            .run(timeout: .seconds(60))
        #expect(result.status == 0, "\(result.text)")
        return scratch(try #require(try Files.list(scratch.path).first { $0.hasPrefix("text.") }))
    }

    @Test(arguments: [("gzip", Compression.gzip), ("zstd", .zstd), ("xz", .xz), ("bzip2", .bzip2)])
    func whatAProgramCompressedComesOutAgain(program: String, compression: Compression) async throws {
        for text in [Self.text, "", "x"] {
            let scratch = try ScratchDirectory()
            let path = try await compressed(program, scratch, text)
            let bytes = try Files.read(path)
            #expect(bytes.withUnsafeBytes { Compression(of: $0) } == compression)
            #expect(try all(Decompressor(MemorySource(bytes), name: "x")) == Array(text.utf8))
            let file = try FileDescriptor(path, O_RDONLY)
            let source = try Decompressor(FileSource(file, name: "x"), name: "x")
            #expect(try all(source) == Array(text.utf8))
            #expect(try source.next().isEmpty)
        }
    }

    @Test func whatIsNotCompressedPasses() throws {
        for text in [Self.text, "", "x", "\u{1f}"] {
            let bytes = Array(text.utf8)
            #expect(bytes.withUnsafeBytes { Compression(of: $0) } == .none)
            #expect(try all(Decompressor(MemorySource(bytes), name: "x")) == bytes)
        }
    }

    @Test(arguments: ["gzip", "zstd", "xz", "bzip2"])
    func whatIsCutOrChangedIsRefused(program: String) async throws {
        let scratch = try ScratchDirectory()
        let bytes = try Files.read(try await compressed(program, scratch))
        for cut in [bytes.count / 2, bytes.count - 3] {
            #expect(throws: EscaleError.self, "\(cut)") {
                try all(Decompressor(MemorySource(Array(bytes[..<cut])), name: "the layer"))
            }
        }
        var changed = bytes
        changed[changed.count / 2] ^= 0x55
        #expect {
            let out = try all(Decompressor(MemorySource(changed), name: "the layer"))
            // Without a checksum of its own the format can't tell: then other bytes come out.
            if out != Array(Self.text.utf8) { throw EscaleError(.init("archive.unreadable"), "other bytes of the layer") }
        } throws: { error in
            code(error) == "archive.unreadable" && "\(error)".contains("the layer")
        }
    }

    @Test func whatASourceThrowsComesThrough() throws {
        struct Broken: Error {}
        final class Source: ByteSource {
            func next() throws -> UnsafeRawBufferPointer { throw Broken() }
        }
        #expect(throws: Broken.self) { try Decompressor(Source(), name: "x").next() }
    }

    // MARK: GzipStream

    @Test func theSameBytesAreCompressedTheSameWay() async throws {
        let bytes = Array(Self.text.utf8)
        func compress(_ pieces: [ArraySlice<UInt8>]) throws -> [UInt8] {
            var out: [UInt8] = []
            let stream = try GzipStream { out += Array($0) }
            for piece in pieces { try Array(piece).withUnsafeBytes { try stream.write($0) } }
            try stream.finish()
            return out
        }
        let first = try compress([bytes[...]])
        // However they are cut into pieces, and whenever.
        #expect(try compress([bytes[..<1], bytes[1..<70_000], bytes[70_000...]]) == first)
        #expect(first.count < bytes.count / 3)
        // No time and no name in the header (RFC 1952).
        #expect(first.prefix(4) == [0x1f, 0x8b, 8, 0])
        #expect(first[4..<8].allSatisfy { $0 == 0 })
        let scratch = try ScratchDirectory()
        try Files.write(scratch("text.gz"), first)
        let result = try await Command("/usr/bin/gzip", ["-d", "-q", scratch("text.gz")]).run(timeout: .seconds(60))
        #expect(result.status == 0, "\(result.text)")
        #expect(try scratch.text("text") == Self.text)
        try Files.write(scratch("empty.gz"), compress([]))
        let empty = try await Command("/usr/bin/gzip", ["-d", "-q", scratch("empty.gz")]).run(timeout: .seconds(60))
        #expect(empty.status == 0, "\(empty.text)")
        #expect(try scratch.text("empty") == "")
    }

    @Test func whatTheSinkThrowsComesThrough() throws {
        struct Full: Error {}
        let stream = try GzipStream { _ in throw Full() }
        var random = Seeded(1)
        let bytes = (0..<1_000_000).map { _ in UInt8.random(in: 0 ... .max, using: &random) }
        #expect(throws: Full.self) {
            try bytes.withUnsafeBytes { try stream.write($0) }
            try stream.finish()
        }
    }

    // MARK: Files

    @Test func aPartOfAFileIsRead() throws {
        let scratch = try ScratchDirectory()
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 >> 4) }
        try Files.write(scratch("file"), bytes)
        let file = try FileDescriptor(scratch("file"), O_RDONLY)
        for (from, count) in [(0, 0), (0, 1), (10, 500_000), (999_999, 1), (0, 1_000_000)] {
            let source = FileSource(file, name: "file", from: Int64(from), count: Int64(count))
            #expect(try all(source) == Array(bytes[from..<from + count]), "\(from) \(count)")
        }
        #expect(try all(FileSource(file, name: "file", from: 999_990)) == Array(bytes[999_990...]))
        // One that is shorter than it is said to be is told.
        #expect { try all(FileSource(file, name: "the layer", from: 999_999, count: 2)) } throws: {
            code($0)?.hasPrefix("archive.") == true && "\($0)".contains("the layer")
        }
    }

    @Test func skippingPassesOverNothingElse() throws {
        let scratch = try ScratchDirectory()
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 >> 3) }
        try Files.write(scratch("file"), bytes)
        let file = try FileDescriptor(scratch("file"), O_RDONLY)
        for count in [0, 1, 4095, 4096, 10_000, 99_999, 100_000, 1 << 40] as [Int64] {
            let source = FileSource(file, name: "file", from: 100, count: 99_000)
            let skipped = source.skip(count)
            // Never more than asked for, and never all: the last read tells whether the file is long enough.
            #expect(skipped >= 0 && skipped <= count && skipped < 99_000, "\(count)")
            #expect(try all(source) == Array(bytes[(100 + Int(skipped))..<99_100]), "\(count)")
        }
        let short = FileSource(file, name: "file", from: 0, count: 200_000)
        _ = short.skip(1 << 40)
        #expect(throws: EscaleError.self) { try all(short) }
    }

    @Test func aRangeIsCopied() throws {
        let scratch = try ScratchDirectory()
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try Files.write(scratch("from"), bytes)
        let source = try FileDescriptor(scratch("from"), O_RDONLY)
        for (from, count) in [(0, 300_000), (1, 10), (4096, 100_000), (0, 0)] {
            let target = try FileDescriptor(scratch("to"), O_RDWR | O_CREAT | O_TRUNC)
            try copyRange(source, from: Int64(from), count: Int64(count), to: target)
            #expect(try Files.read(scratch("to")) == Array(bytes[from..<from + count]), "\(from) \(count)")
        }
        let target = try FileDescriptor(scratch("to"), O_RDWR | O_CREAT | O_TRUNC)
        #expect(throws: EscaleError.self) { try copyRange(source, from: 299_000, count: 2000, to: target) }
    }
}

@Suite struct LayerLimitTests {
    private func archive(_ entries: [(TreeEntry, [UInt8])], _ scratch: ScratchDirectory) throws -> ArchiveReader {
        var bytes: [UInt8] = []
        let writer = try ArchiveWriter { bytes += Array($0) }
        for (entry, content) in entries {
            if case .file = entry.kind {
                try writer.add(entry) { sink in try content.withUnsafeBytes { try sink($0) } }
            } else {
                try writer.add(entry)
            }
        }
        try writer.finish()
        try Files.write(scratch("a.tar"), bytes)
        return try ArchiveReader(path: scratch("a.tar"))
    }

    private func file(_ name: String, _ size: Int) -> (TreeEntry, [UInt8]) {
        (
            TreeEntry(path: Array(name.utf8), kind: .file(size: Int64(size)), permissions: 0o644),
            [UInt8](repeating: 1, count: size)
        )
    }

    @Test func aLayerHasNoMoreBytesThanItMay() throws {
        for (limit, fits) in [(300, true), (299, false), (0, false)] {
            let scratch = try ScratchDirectory()
            let reader = try archive([file("a", 100), file("b", 200)], scratch)
            var limits = LayerLimits()
            limits.contentBytes = Int64(limit)
            let inside = try scratch.directory("inside")
            if fits {
                #expect(try unpackLayer(reader, into: inside, limits: limits).contentBytes == 300)
            } else {
                #expect { try unpackLayer(reader, into: inside, name: "the layer", limits: limits) } throws: {
                    code($0) == "archive.too-large" && "\($0)".contains("the layer")
                }
            }
        }
    }

    @Test func aLayerHasNoMoreEntriesThanItMay() throws {
        for (limit, fits) in [(3, true), (2, false)] {
            let scratch = try ScratchDirectory()
            let reader = try archive([file("a", 0), file("b", 0), file(".wh.c", 0)], scratch)
            var limits = LayerLimits()
            limits.entries = limit
            let inside = try scratch.directory("inside")
            if fits {
                #expect(try unpackLayer(reader, into: inside, limits: limits).entries == 3)
            } else {
                #expect { try unpackLayer(reader, into: inside, limits: limits) } throws: {
                    code($0) == "archive.too-large" && "\($0)".contains("too many entries, more than 2")
                }
            }
        }
    }

    @Test(arguments: [".wh...", ".wh..", "dir/.wh...", "../.wh.x", "a/../.wh.x", "a/../.wh..wh..opq"])
    func aWhiteoutHidesNothingOutside(name: String) throws {
        let scratch = try ScratchDirectory()
        try scratch.file("x", "mine")
        let reader = try archive([file("dir/file", 1), file(name, 0)], scratch)
        let inside = try scratch.directory("inside")
        #expect { try unpackLayer(reader, into: inside) } throws: { code($0) == "archive.unsafe" }
        #expect(try Files.list(scratch.path) == ["a.tar", "inside", "x"])
        #expect(try scratch.text("x") == "mine")
    }

    @Test func marksThatMeanNothingHereAreLeftOut() throws {
        let scratch = try ScratchDirectory()
        let reader = try archive([file(".wh.", 0), file(".wh..wh.plnk", 0), file(".wh..wh.aufs", 0), file("a", 1)], scratch)
        let inside = try scratch.directory("inside")
        try unpackLayer(reader, into: inside)
        #expect(try Files.list(inside) == ["a"])
    }
}

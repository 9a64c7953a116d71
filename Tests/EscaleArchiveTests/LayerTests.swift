import EscaleArchive
import EscaleCore
import EscaleSystem
import Glibc
import EscaleTestSupport
import Testing

@Suite struct LayerTests {
    private func pack(_ directory: String, compression: Compression = .none) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try packLayer(directory, compression: compression) { bytes += Array($0) }
        return bytes
    }

    private func makeTree(_ scratch: ScratchDirectory, _ name: String) throws -> String {
        let tree = try scratch.directory(name)
        try scratch.file("\(name)/etc/passwd", "root:x:0:0\n")
        try scratch.file("\(name)/usr/bin/su", "elf", mode: 0o755)
        #expect(chown("\(tree)/usr/bin/su", 12, 34) == 0)
        #expect(chmod("\(tree)/usr/bin/su", 0o4755) == 0)
        #expect(link("\(tree)/usr/bin/su", "\(tree)/usr/bin/sudo") == 0)
        #expect(symlink("usr/bin", "\(tree)/bin") == 0)
        #expect(mkfifo("\(tree)/pipe", 0o600) == 0)
        try scratch.file("\(name)/naïve-名.txt", "text")
        let root = try Directory(tree)
        try root.makeNode(Array("zero".utf8), type: S_IFCHR, major: 1, minor: 5)
        try root.makeNode(Array("gone".utf8), type: S_IFCHR)
        try root.directory(Array("etc".utf8)).set(.opaque, on: [UInt8(ascii: ".")])
        let capability: [UInt8] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        try root.directory(Array("usr".utf8)).set(
            ExtendedAttribute("user.note", Array("kept".utf8)),
            on: Array("bin".utf8)
        )
        try scratch.file("\(name)/ping", "elf", mode: 0o755)
        try root.set(ExtendedAttribute("security.capability", capability), on: Array("ping".utf8))
        for path in ["etc/passwd", "etc", "usr/bin", "usr", "naïve-名.txt", "pipe", "zero", "ping", "bin"] {
            let slash = path.lastIndex(of: "/")
            let parent = try slash.map { try root.directory(Array(path[..<$0].utf8)) } ?? root
            let last = slash.map { path[path.index(after: $0)...] } ?? path[...]
            try parent.setTime(FileTime(seconds: 1_000_000), of: Array(last.utf8))
        }
        try root.directory(Array("usr".utf8)).directory(Array("bin".utf8)).setTime(
            FileTime(seconds: 5),
            of: Array("su".utf8)
        )
        return tree
    }

    @Test(arguments: [Compression.none, .gzip, .zstd])
    func unpackingAPackedLayerGivesTheSameTree(compression: Compression) throws {
        let scratch = try ScratchDirectory()
        let tree = try makeTree(scratch, "tree")
        try Files.write(scratch("layer.tar"), pack(tree, compression: compression))
        let copy = try scratch.directory("copy")
        try unpackLayer(ArchiveReader(path: scratch("layer.tar")), into: copy)

        func entries(_ directory: String) throws -> [TreeEntry] {
            var found: [TreeEntry] = []
            var walk = TreeWalk(try Directory(directory))
            try walk.visit {
                var entry = $0.entry
                if $0.status.isWhiteout { (entry.permissions, entry.modified) = (0, FileTime(seconds: 0)) }
                found.append(entry)
                return .descend
            }
            return found
        }
        let before = try entries(tree)
        let after = try entries(copy)
        #expect(before.map(\.pathText) == after.map(\.pathText))
        for (left, right) in zip(before, after) { #expect(left == right, "\(left.pathText)") }
        #expect(try pack(copy) == pack(tree))
    }

    @Test func theSameContentGivesTheSameBytes() throws {
        let scratch = try ScratchDirectory()
        let first = try pack(makeTree(scratch, "one"))
        let second = try pack(makeTree(scratch, "two"))
        #expect(first == second)
    }

    @Test func whiteoutsAreWrittenTheOCIWay() throws {
        let scratch = try ScratchDirectory()
        try Files.write(scratch("layer.tar"), pack(makeTree(scratch, "tree")))
        let reader = try ArchiveReader(path: scratch("layer.tar"))
        var names: [String] = []
        while let entry = try reader.next() { names.append(entry.pathText) }
        #expect(names.contains(".wh.gone"))
        #expect(names.contains("etc/.wh..wh..opq"))
    }

    /// Each archive tries to write, link or reach outside of the directory it is unpacked into.
    @Test(arguments: [
        [TreeEntry(path: Array("../evil".utf8), kind: .file(size: 0), permissions: 0o644)],
        [TreeEntry(path: Array("a/../../evil".utf8), kind: .file(size: 0), permissions: 0o644)],
        [TreeEntry(path: Array("/../evil".utf8), kind: .directory, permissions: 0o755)],
        [
            TreeEntry(
                path: Array("out".utf8),
                kind: .symbolicLink(target: Array("..".utf8)),
                permissions: 0o777
            ),
            TreeEntry(path: Array("out/evil".utf8), kind: .file(size: 0), permissions: 0o644),
        ],
        [
            TreeEntry(
                path: Array("out".utf8),
                kind: .symbolicLink(target: Array("/tmp".utf8)),
                permissions: 0o777
            ),
            TreeEntry(path: Array("out/escale-evil".utf8), kind: .file(size: 0), permissions: 0o644),
        ],
        [
            TreeEntry(
                path: Array("evil".utf8),
                kind: .hardLink(target: Array("../secret".utf8)),
                permissions: 0o644
            )
        ],
        [
            TreeEntry(
                path: Array("out".utf8),
                kind: .symbolicLink(target: Array("..".utf8)),
                permissions: 0o777
            ),
            TreeEntry(
                path: Array("evil".utf8),
                kind: .hardLink(target: Array("out/secret".utf8)),
                permissions: 0o644
            ),
        ],
        [TreeEntry(path: Array("a/../.wh.secret".utf8), kind: .file(size: 0), permissions: 0o644)],
        [
            TreeEntry(
                path: Array("out".utf8),
                kind: .symbolicLink(target: Array("..".utf8)),
                permissions: 0o777
            ),
            TreeEntry(path: Array("out/.wh.secret".utf8), kind: .file(size: 0), permissions: 0o644),
        ],
    ])
    func hostileArchivesStayInside(entries: [TreeEntry]) throws {
        let scratch = try ScratchDirectory()
        try scratch.file("secret", "mine")
        var bytes: [UInt8] = []
        let writer = try ArchiveWriter { bytes += Array($0) }
        for entry in entries { try writer.add(entry) }
        try writer.finish()
        try Files.write(scratch("evil.tar"), bytes)
        let inside = try scratch.directory("inside")
        // Some are refused, some land inside; what matters is what is outside.
        _ = try? unpackLayer(ArchiveReader(path: scratch("evil.tar")), into: inside)
        #expect(try Files.list(scratch.path) == ["evil.tar", "inside", "secret"])
        #expect(try scratch.text("secret") == "mine")
        #expect(!Files.exists("/tmp/escale-evil"))
        #expect(try FileStatus(scratch("secret"))?.links == 1)
    }

    @Test func aLaterEntryReplacesAnEarlierOne() throws {
        let scratch = try ScratchDirectory()
        var bytes: [UInt8] = []
        let writer = try ArchiveWriter { bytes += Array($0) }
        let path = Array("thing".utf8)
        try writer.add(TreeEntry(path: path, kind: .directory, permissions: 0o755))
        try writer.add(TreeEntry(path: path + Array("/child".utf8), kind: .file(size: 0), permissions: 0o644))
        try writer.add(
            TreeEntry(path: path, kind: .symbolicLink(target: Array("/etc".utf8)), permissions: 0o777)
        )
        try writer.add(TreeEntry(path: path, kind: .file(size: 0), permissions: 0o600))
        try writer.finish()
        try Files.write(scratch("a.tar"), bytes)
        let inside = try scratch.directory("inside")
        try unpackLayer(ArchiveReader(path: scratch("a.tar")), into: inside)
        #expect(try FileStatus(inside + "/thing")?.kind == .file)
    }

    @Test func whatIsNoArchiveIsRefused() throws {
        let scratch = try ScratchDirectory()
        try scratch.file("text", String(repeating: "not an archive ", count: 100))
        #expect { try ArchiveReader(path: scratch("text")).next() } throws: {
            ($0 as? EscaleError)?.code.rawValue == "archive.unreadable"
        }
    }

    @Test func aCutArchiveIsRefused() throws {
        let scratch = try ScratchDirectory()
        try scratch.file("tree/file", String(repeating: "x", count: 100_000))
        try Files.write(scratch("cut.tar"), pack(scratch("tree")).prefix(50_000))
        #expect(throws: EscaleError.self) {
            try unpackLayer(ArchiveReader(path: scratch("cut.tar")), into: scratch.directory("inside"))
        }
    }
}

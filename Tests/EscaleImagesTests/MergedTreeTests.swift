import EscaleArchive
import EscaleCore
import EscaleImages
import EscaleSystem
import Glibc
import Testing

@Suite struct MergedTreeTests {
    @Test func showsWhatOverlayfsShows() async throws {
        let fixture = try StoreFixture()
        let bottom = try await fixture.layer([
            "etc/passwd": "bottom", "etc/group": "group", "etc/gone": "x", "opt/old": "old",
            "usr/bin/tool": "tool",
            "replaced/inner": "x",
        ])
        let area = try fixture.store.makeWorkArea()
        for directory in ["etc", "opt"] { try Files.createDirectories("\(area.upper)/\(directory)") }
        try Files.write("\(area.upper)/etc/passwd", Array("top".utf8))
        try Files.write("\(area.upper)/opt/new", Array("new".utf8))
        try Files.write("\(area.upper)/replaced", Array("file".utf8))
        #expect(mknod("\(area.upper)/etc/gone", S_IFCHR, 0) == 0)
        try Directory("\(area.upper)/opt").set(.opaque, on: [UInt8(ascii: ".")])
        for (name, target) in [
            ("bin", "usr/bin"), ("abs", "/etc"), ("out", "../../../../etc/passwd"), ("loop", "loop"),
            ("dangling", "no"),
        ] {
            #expect(symlink(target, "\(area.upper)/\(name)") == 0)
        }
        let top = try #require(try await fixture.store.commitLayer(area.upper))
        let layers = [bottom, top]
        func read(_ path: String) throws -> String? { try fixture.store.readFile(path, in: layers) }

        #expect(try read("/etc/passwd") == "top")
        #expect(try read("etc/group") == "group")
        #expect(try read("/etc/gone") == nil)
        #expect(try read("/opt/old") == nil)
        #expect(try read("/opt/new") == "new")
        #expect(try read("/bin/tool") == "tool")
        #expect(try read("/abs/../abs/group") == "group")
        #expect(try read("/out") == "top")
        #expect(try read("/replaced") == "file")
        #expect(try read("/replaced/inner") == nil)
        #expect(try read("/dangling") == nil)
        #expect(try read("/etc") == nil)
        #expect { try read("/loop") } throws: { ($0 as? EscaleError)?.code.rawValue == "image.link-loop" }
        #expect(
            try fixture.store.tree(of: layers).find("/bin", followLast: false)?.status.kind == .symbolicLink
        )
        #expect(try fixture.store.tree(of: layers).find("/bin")?.path == "/usr/bin")
    }
}

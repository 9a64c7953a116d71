import EscaleArchive
import EscaleBuild
import EscaleCore
import EscaleImages
import EscaleSystem
import Glibc
import Testing

@Suite struct CopyTests {
    private func status(_ path: String, _ image: StoredImage, _ fixture: BuildFixture) throws -> FileStatus? {
        try fixture.store.tree(of: image.layers).find(path, followLast: false)?.status
    }

    @Test func destinationsAreDockers() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("a.txt", "a")
        try fixture.file("b.txt", "b")
        try fixture.file("dir/sub/c", "c")
        let image = try await fixture.build(
            """
            FROM base
            COPY a.txt /new/name
            COPY a.txt /slash/
            COPY a.txt /etc
            COPY *.txt dir /many/
            COPY dir /whole
            COPY dir/s*/c /one
            WORKDIR /w
            COPY a.txt .
            COPY ./dir/./sub/../sub /w/sub
            """
        )
        for (path, text) in [
            "/new/name": "a", "/slash/a.txt": "a", "/etc/a.txt": "a", "/many/a.txt": "a", "/many/b.txt": "b",
            "/many/sub/c": "c", "/whole/sub/c": "c", "/one": "c", "/w/a.txt": "a", "/w/sub/c": "c",
        ] {
            #expect(try fixture.read(path, image) == text, "\(path)")
        }
    }

    @Test func linksInTheImageAreFollowedInside() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("tool", "t", mode: 0o755)
        try fixture.file("rootfs/bin/other", "o")
        try fixture.file("rootfs/tmp/x", "x")
        let image = try await fixture.build(
            """
            FROM base
            COPY tool /bin/
            COPY rootfs /
            RUN ln -s /../../../../../../etc /escape && ln -s ../../../.. /up
            COPY tool /escape/
            COPY tool /up/etc/second
            """
        )
        #expect(try status("/bin", image, fixture)?.kind == .symbolicLink)
        #expect(try fixture.read("/usr/bin/tool", image) == "t")
        #expect(try fixture.read("/usr/bin/other", image) == "o")
        // As with Docker, a directory below the one that is copied gives its mode also to one that was there.
        #expect(try status("/tmp", image, fixture)?.permissions == 0o755)
        #expect(try fixture.read("/etc/tool", image) == "t")
        #expect(try fixture.read("/etc/second", image) == "t")
        #expect(!Files.exists("/etc/second"))
    }

    @Test func ownersAndModes() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("f", "1", mode: 0o640)
        #expect(chown(fixture.context + "/f", 55, 66) == 0)
        let image = try await fixture.build(
            """
            FROM base AS made
            COPY f /default
            COPY --chown=app f /app/by-name
            COPY --chown=app:0 f /group
            COPY --chown=7 f /number
            COPY --chmod=4755 f /mode
            FROM base
            COPY --from=made /app /kept
            COPY --from=made --chown=3:4 /app/by-name /changed
            COPY --from=made /default /group /number /mode /
            """
        )
        for (path, uid, gid, mode) in [
            ("/default", 0, 0, 0o640), ("/group", 1000, 0, 0o640), ("/number", 7, 7, 0o640),
            ("/mode", 0, 0, 0o4755),
            ("/kept/by-name", 1000, 1001, 0o640), ("/changed", 3, 4, 0o640),
        ] as [(String, UInt32, UInt32, UInt32)] {
            let found = try #require(try status(path, image, fixture), "\(path)")
            #expect((found.owner, found.group, found.permissions) == (uid, gid, mode), "\(path)")
        }
    }

    @Test func theContextCantBeLeft() async throws {
        let fixture = try await BuildFixture()
        try Files.write(fixture.path + "/secret", Array("mine".utf8))
        #expect(symlink("../secret", fixture.context + "/relative") == 0)
        #expect(symlink("/etc/passwd", fixture.context + "/absolute") == 0)
        for source in ["../secret", "relative", "absolute", "/etc/passwd"] {
            await #expect { try await fixture.build("FROM base\nCOPY \(source) /x") } throws: {
                code($0) == "build.source-missing"
            }
        }
    }

    @Test func linksInTheContextAreCopiedAsLinksAndNamedOnesFollowed() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("dir/real", "r")
        #expect(symlink("real", fixture.context + "/dir/link") == 0)
        #expect(symlink("/nowhere", fixture.context + "/dir/dangling") == 0)
        #expect(symlink("dir", fixture.context + "/alias") == 0)
        let image = try await fixture.build(
            "FROM base\nCOPY dir /dir\nCOPY dir/link /file\nCOPY alias /alias/\n"
        )
        #expect(try status("/dir/link", image, fixture)?.kind == .symbolicLink)
        #expect(try status("/dir/dangling", image, fixture)?.kind == .symbolicLink)
        #expect(try status("/file", image, fixture)?.kind == .file)
        #expect(try fixture.read("/alias/real", image) == "r")
    }

    @Test func dockerignoreLeavesOut() async throws {
        let fixture = try await BuildFixture()
        try fixture.file(".dockerignore", "node_modules\n**/*.log\n!keep.log\nDockerfile\n")
        try fixture.file("node_modules/x", "x")
        try fixture.file("src/a.log", "x")
        try fixture.file("keep.log", "k")
        try fixture.file("src/a", "a")
        let dockerfile = "FROM base\nCOPY . /c/"
        let image = try await fixture.build(dockerfile)
        let names = try fixture.store.tree(of: image.layers).find("/c")?.places.flatMap { try Files.list($0) }
        #expect(names == [".dockerignore", "keep.log", "src"])
        #expect(try fixture.read("/c/src/a.log", image) == nil)
        // What is left out is no reason to copy again.
        try fixture.file("node_modules/x", "changed")
        #expect(try await fixture.build(dockerfile).id == image.id)
        await #expect { try await fixture.build("FROM base\nCOPY node_modules /c/") } throws: {
            code($0) == "build.source-missing" && ($0 as? EscaleError)?.hint == ".dockerignore leaves it out"
        }
    }

    @Test func aMissingSourceNamesItsNeighbours() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("requirements.txt", "")
        await #expect { try await fixture.build("FROM base\nCOPY requirement.txt /") } throws: { error in
            let error = error as? EscaleError
            return error?.code.rawValue == "build.source-missing"
                && error?.hint == "did you mean requirements.txt?"
                && error?.diagnostics.first?.position?.line == 2
        }
        await #expect { try await fixture.build("FROM base\nCOPY *.py /app/") } throws: {
            code($0) == "build.source-missing"
        }
        await #expect {
            try await fixture.build("FROM base\nCOPY requirements.txt Dockerfile /app")
        } throws: {
            code($0) == "build.copy-destination"
        }
    }

    @Test func pipesInTheContextHoldNothingUp() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("d/f", "1")
        #expect(mkfifo(fixture.context + "/d/pipe", 0o600) == 0)
        let image = try await fixture.build("FROM base\nCOPY d /d")
        #expect(try status("/d/pipe", image, fixture)?.kind == .fifo)
        await #expect { try await fixture.build("FROM base\nCOPY d/pipe /d") } throws: {
            code($0) == "build.source-kind"
        }
    }

    @Test func aFileDoesNotReplaceADirectory() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("d/etc", "file")
        await #expect { try await fixture.build("FROM base\nCOPY d /") } throws: {
            code($0) == "build.copy-conflict"
        }
    }

    @Test func addUnpacksArchives() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("tree/in/side", "1")
        var bytes: [UInt8] = []
        try packLayer(fixture.context + "/tree", compression: .gzip) { bytes += Array($0) }
        try Files.write(fixture.context + "/a.tgz", bytes)
        let image = try await fixture.build("FROM base\nADD a.tgz Dockerfile /opt/\nCOPY a.tgz /copied.tgz")
        #expect(try fixture.read("/opt/in/side", image) == "1")
        #expect(try fixture.read("/opt/Dockerfile", image) != nil)
        #expect(try status("/opt/a.tgz", image, fixture) == nil)
        #expect(try status("/copied.tgz", image, fixture)?.size == Int64(bytes.count))
    }

    @Test func copiesFromAnImage() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("x", "from other")
        try await fixture.build("FROM scratch\nCOPY x /x", name: "other:1")
        let image = try await fixture.build("FROM base\nCOPY --from=other:1 / /all/")
        #expect(try fixture.read("/all/x", image) == "from other")
    }

    @Test func timesOfFilesAreKept() async throws {
        let fixture = try await BuildFixture()
        try fixture.file("f", "1")
        try Directory(fixture.context).setTime(FileTime(seconds: 1_234_567), of: Array("f".utf8))
        let image = try await fixture.build("FROM base\nCOPY f /f")
        #expect(try status("/f", image, fixture)?.modified.seconds == 1_234_567)
    }
}

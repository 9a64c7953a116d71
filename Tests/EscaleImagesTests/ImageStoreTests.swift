import EscaleArchive
import EscaleCore
import EscaleImages
import EscaleOCI
import EscaleSystem
import Glibc
import EscaleTestSupport
import Testing

/// A store with ways to put things into it.
struct StoreFixture {
    let scratch: ScratchDirectory
    let store: ImageStore

    init() throws {
        scratch = try ScratchDirectory()
        store = try ImageStore(root: scratch("store"))
    }

    func reopened() throws -> ImageStore { try ImageStore(root: scratch("store")) }

    /// Paths and texts; a text of `nil` makes a whiteout.
    func layer(_ files: [String: String?]) async throws -> Digest {
        let area = try store.makeWorkArea()
        defer { store.discard(area) }
        for (path, text) in files {
            let full = "\(area.upper)/\(path)"
            if let slash = full.lastIndex(of: "/") { try Files.createDirectories(String(full[..<slash])) }
            if let text {
                try Files.write(full, Array(text.utf8))
            } else {
                #expect(mknod(full, S_IFCHR | 0o600, 0) == 0)
            }
        }
        return try #require(try await store.commitLayer(area.upper))
    }

    func image(_ name: String, _ layers: [Digest], command: [String]? = nil) async throws -> StoredImage {
        var config = ImageConfig(architecture: "amd64")
        config.config.command = command
        return try await store.createImage(config, layers: layers, references: [ImageReference(name)])
    }
}

private func code(_ error: any Error) -> String? { (error as? EscaleError)?.code.rawValue }

@Suite struct ImageStoreTests {
    @Test func anImportedArchiveBecomesAnImage() async throws {
        let fixture = try StoreFixture()
        try fixture.scratch.file("tree/etc/os-release", "ID=test\n")
        try fixture.scratch.file("tree/bin/sh", "elf", mode: 0o755)
        var bytes: [UInt8] = []
        try packLayer(fixture.scratch("tree")) { bytes += Array($0) }
        try Files.write(fixture.scratch("rootfs.tar"), bytes)

        let image = try await fixture.store.importTar(
            fixture.scratch("rootfs.tar"),
            as: ImageReference("base:1")
        )
        #expect(image.references.map(\.familiar) == ["base:1"])
        #expect(image.layers.count == 1)
        #expect(image.size == ByteCount(11))
        #expect(try fixture.store.readFile("/etc/os-release", in: image.layers) == "ID=test\n")
        #expect(fixture.store.lowerDirectories(of: image) == [String(image.layers[0].hex.prefix(12))])
        #expect(try Files.list(fixture.scratch("store/tmp")) == [])
        #expect(try fixture.reopened().image("base:1") == image)
    }

    @Test func findsByNameIdAndBeginning() async throws {
        let fixture = try StoreFixture()
        let image = try await fixture.image("shop/web:2", [fixture.layer(["a": "1"])])
        let manifest = image.manifest.description
        for text in [
            "shop/web:2", "docker.io/shop/web:2", image.id.description, image.id.hex, image.id.short,
            "sha256:" + image.id.short, "shop/web@\(manifest)",
        ] {
            #expect(try fixture.store.image(text).id == image.id, "\(text)")
        }
        for text in ["shop/web", "shop/web:3", "ffff0000ffff", "other@\(manifest)", "!"] {
            #expect { try fixture.store.image(text) } throws: { code($0) == "image.not-found" }
        }
    }

    @Test func equalLayersAreStoredOnce() async throws {
        let fixture = try StoreFixture()
        let first = try await fixture.layer(["dir/file": "same"])
        for name in ["dir/file", "dir"] { _ = try Files.list(fixture.scratch(name)) }
        let directory = "\(fixture.store.layersDirectory)/\(ImageStore.layerName(first))"
        let status = try #require(try FileStatus(directory + "/dir/file"))
        let area = try fixture.store.makeWorkArea()
        try unpackLayer(ArchiveReader(path: pack(directory, fixture)), into: area.upper)
        #expect(try await fixture.store.commitLayer(area.upper) == first)
        #expect(try FileStatus(directory + "/dir/file")?.identity == status.identity)
    }

    private func pack(_ directory: String, _ fixture: StoreFixture) throws -> String {
        var bytes: [UInt8] = []
        try packLayer(directory) { bytes += Array($0) }
        try Files.write(fixture.scratch("packed.tar"), bytes)
        return fixture.scratch("packed.tar")
    }

    @Test func anEmptyDirectoryMakesNoLayer() async throws {
        let fixture = try StoreFixture()
        let area = try fixture.store.makeWorkArea()
        #expect(try await fixture.store.commitLayer(area.upper) == nil)
        let image = try await fixture.image("scratch-like", [])
        #expect(fixture.store.lowerDirectories(of: image) == ["empty"])
    }

    @Test func aTagMovesAndLeavesTheOldImageNameless() async throws {
        let fixture = try StoreFixture()
        let old = try await fixture.image("web", [fixture.layer(["v": "1"])])
        let new = try await fixture.image("web", [fixture.layer(["v": "2"])])
        #expect(try fixture.store.image("web").id == new.id)
        #expect(try fixture.store.image(old.id.hex).references == [])
        #expect(try fixture.reopened().list().count == 2)
        let pruned = try await fixture.store.prune()
        #expect(pruned.removal.deleted == [old.id])
        #expect(pruned.freed == ByteCount(1))
        #expect(try fixture.reopened().list().map(\.id) == [new.id])
    }

    @Test func removalDeletesOnlyWhatNobodyElseNeeds() async throws {
        let fixture = try StoreFixture()
        let shared = try await fixture.layer(["shared": "1"])
        let own = try await fixture.layer(["own": "1"])
        let base = try await fixture.image("base", [shared])
        let app = try await fixture.image("app", [shared, own])
        try await fixture.store.tag("app", as: ImageReference("app:second"))

        var removal = try await fixture.store.remove("app")
        #expect(removal.deleted.isEmpty)
        #expect(fixture.store.hasLayer(own))
        removal = try await fixture.store.remove("app:second")
        #expect(removal.deleted == [app.id])
        #expect(!fixture.store.hasLayer(own))
        #expect(fixture.store.hasLayer(shared))
        #expect(!Files.exists("\(fixture.store.layersDirectory)/\(ImageStore.layerName(own))"))
        try await fixture.store.remove(base.id.hex)
        #expect(fixture.store.list().isEmpty)
        #expect(try Files.list(fixture.scratch("store/blobs/sha256")).isEmpty)
        #expect(try Files.list(fixture.store.layersDirectory) == ["empty"])
    }

    @Test func anImageInUseIsNotDeleted() async throws {
        let fixture = try StoreFixture()
        let image = try await fixture.image("web", [fixture.layer(["a": "1"])])
        for text in ["web", image.id.hex] {
            await #expect { try await fixture.store.remove(text, inUse: [image.id]) } throws: {
                code($0) == "image.in-use"
            }
        }
        let removal = try await fixture.store.remove("web", force: true, inUse: [image.id])
        #expect(removal.deleted.isEmpty)
        #expect(try fixture.store.image(image.id.hex).references.isEmpty)
        #expect(try await fixture.store.prune(inUse: [image.id]).removal.deleted.isEmpty)
    }

    @Test func anImageWithSeveralNamesNeedsForceToGoById() async throws {
        let fixture = try StoreFixture()
        let image = try await fixture.image("web:1", [fixture.layer(["a": "1"])])
        try await fixture.store.tag("web:1", as: ImageReference("web:2"))
        await #expect { try await fixture.store.remove(image.id.hex) } throws: { code($0) == "image.in-use" }
        #expect(try await fixture.store.remove(image.id.hex, force: true).untagged.count == 2)
        #expect(fixture.store.list().isEmpty)
    }

    @Test func aLeaseKeepsLayersThatNoImageNamesYet() async throws {
        let fixture = try StoreFixture()
        let image = try await fixture.image("old", [fixture.layer(["old": "1"])])
        do {
            let lease = fixture.store.lease()
            let fresh = try await fixture.layer(["fresh": "1"])
            try await fixture.store.remove("old")
            #expect(fixture.store.hasLayer(fresh))
            _ = try await fixture.image("new", [fresh])
            withExtendedLifetime(lease) {}
        }
        // The layers go a moment after the lease does.
        for _ in 0..<200 where fixture.store.hasLayer(image.layers[0]) {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(!fixture.store.hasLayer(image.layers[0]))
        #expect(try fixture.store.image("new").layers.count == 1)
    }

    @Test func cacheRecordsGoWithTheirLayers() async throws {
        let fixture = try StoreFixture()
        let layer = try await fixture.layer(["a": "1"])
        _ = try await fixture.image("web", [layer])
        let key = try #require(Digest(hex: String(repeating: "7", count: 64)))
        try fixture.store.setCacheRecord(CacheRecord(layers: [layer], note: "n"), for: key)
        #expect(try fixture.reopened().cacheRecord(key)?.note == "n")
        try await fixture.store.remove("web")
        #expect(fixture.store.cacheRecord(key) == nil)
        #expect(!fixture.store.hasLayer(layer))
    }

    @Test func leftoversOfAnInterruptedWriteAreRemoved() async throws {
        let fixture = try StoreFixture()
        let image = try await fixture.image("web", [fixture.layer(["a": "1"])])
        try fixture.scratch.file("store/tmp/dead/upper/file", "half")
        try fixture.scratch.file("store/layers/\(String(repeating: "c", count: 32))/file", "no record")
        try fixture.scratch.file("store/layers/\(String(repeating: "d", count: 32)).json", "{\"half")
        let store = try fixture.reopened()
        #expect(store.problems.isEmpty)
        #expect(try Files.list(fixture.scratch("store/tmp")).isEmpty)
        #expect(
            try Files.list(store.layersDirectory).filter { !$0.hasSuffix(".json") }
                == [ImageStore.layerName(image.layers[0]), ImageStore.shortName(image.layers[0]), "empty"].sorted()
        )
    }

    @Test func aDamagedImageIsReportedAndLeftAlone() async throws {
        let fixture = try StoreFixture()
        let image = try await fixture.image("web", [fixture.layer(["a": "1"])])
        let other = try await fixture.image("other", [fixture.layer(["b": "1"])])
        try Files.write(fixture.scratch("store/blobs/sha256/\(image.id.hex)"), Array("{".utf8))
        let store = try fixture.reopened()
        #expect(store.problems.count == 1)
        #expect(store.list().map(\.id) == [other.id])
        #expect { try store.image("web") } throws: { code($0) == "image.not-found" }
        try Files.write(fixture.scratch("store/index.json"), Array("nonsense".utf8))
        #expect { try fixture.reopened() } throws: { code($0) == "image.store-damaged" }
    }

    @Test func inspectionIsInDockersShape() async throws {
        let fixture = try StoreFixture()
        let image = try await fixture.image("web:1", [fixture.layer(["a": "1"])], command: ["run"])
        let json = String(decoding: try fixture.store.inspectJSON("web:1"), as: UTF8.self)
        for part in [
            "\"Id\" : \"\(image.id)\"", "\"RepoTags\"", "\"web:1\"", "\"Cmd\"", "\"RootFS\"", "\"Layers\"",
        ] {
            #expect(json.contains(part), "\(part)")
        }
    }

    @Test func savedImagesAreNotTakenForRootFileSystems() async throws {
        let fixture = try StoreFixture()
        for (marker, kind) in [("oci-layout", "OCI"), ("manifest.json", "docker save")] {
            try Files.remove(fixture.scratch("saved"))
            try fixture.scratch.file("saved/\(marker)", "{}")
            await #expect {
                try await fixture.store.importTar(
                    pack(fixture.scratch("saved"), fixture),
                    as: ImageReference("x")
                )
            } throws: {
                code($0) == "image.archive-kind" && "\($0)".contains(kind)
            }
        }
    }
}

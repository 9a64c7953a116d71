import EscaleArchive
import EscaleCore
import EscaleImages
import EscaleOCI
import EscaleSystem
import EscaleTestSupport
import Glibc
import Synchronization
import Testing

/// A directory's files as an archive.
func packTree(_ directory: String, as path: String) throws {
    var bytes: [UInt8] = []
    try packLayer(directory) { bytes += Array($0) }
    try Files.write(path, bytes)
}

extension StoreFixture {
    /// Saves images and gives the archive's path.
    func save(_ names: [String], _ format: ImageArchiveFormat, as file: String = "saved.tar") async throws -> String {
        try await store.save(names, to: scratch(file), format: format)
        return scratch(file)
    }

    func load(_ path: String) async throws -> [StoredImage] {
        try await store.load(path, platform: ImagePlatform("linux/amd64"))
    }

    /// Nothing may be there of an image that was not taken in.
    func expectNoTrace(_ comment: String = "") throws {
        #expect(store.list().isEmpty, "\(comment)")
        #expect(try Files.list("\(store.root)/tmp") == [], "\(comment)")
        #expect(try Files.list(store.layersDirectory) == ["empty"], "\(comment)")
    }

    /// Runs a program of the system in the scratch directory.
    func run(_ command: String...) async throws {
        let result = try await Command("/usr/bin/env", ["--chdir=\(scratch.path)"] + command)
            .run(timeout: .seconds(60))
        #expect(result.status == 0, "\(command): \(result.text)")
    }
}

private func code(_ error: any Error) -> String? { (error as? EscaleError)?.code.rawValue }

@Suite struct LoadSaveTests {
    @Test(arguments: ImageArchiveFormat.allCases)
    func whatWasSavedIsLoadedAsItWas(format: ImageArchiveFormat) async throws {
        let (from, to) = (try StoreFixture(), try StoreFixture())
        let shared = try await from.layer(["base": "1", "gone": "soon"])
        let base = try await from.image("base:1", [shared])
        let app = try await from.image("shop/app:2", [shared, from.layer(["app": "2", "gone": nil])], command: ["app"])
        let path = try await from.save(["base:1", "shop/app:2", base.id.hex], format)

        let loaded = try await to.load(path)
        #expect(Set(loaded.map(\.id)) == [base.id, app.id])
        #expect(try to.store.image("base:1").id == base.id)
        let copy = try to.store.image("shop/app:2")
        #expect(copy.config == app.config)
        #expect(copy.layers == app.layers)
        #expect(copy.size == app.size)
        #expect(try to.store.readFile("app", in: copy.layers) == "2")
        #expect(try to.store.readFile("base", in: copy.layers) == "1")
        #expect(try to.store.readFile("gone", in: copy.layers) == nil)
        #expect(try Files.list("\(to.store.root)/tmp") == [])
        #expect(try await to.store.examine(repairing: false).problems == [])
        // The same images give the same bytes, wherever they are.
        let again = try await to.save(["base:1", "shop/app:2"], format)
        #expect(try Files.read(again) == Files.read(path))
        // A second time nothing changes.
        #expect(try await to.load(path).map(\.id) == loaded.map(\.id))
        #expect(to.store.list().count == 2)
        #expect(try to.reopened().list().count == 2)
    }

    @Test(arguments: ImageArchiveFormat.allCases)
    func namesAreThoseThatWereAskedFor(format: ImageArchiveFormat) async throws {
        let (from, to) = (try StoreFixture(), try StoreFixture())
        let image = try await from.image("web:1", [from.layer(["a": "1"])])
        for name in ["web:2", "registry.example:5000/team/web:1"] { try await from.store.tag("web:1", as: ImageReference(name)) }
        _ = try await to.load(from.save(["registry.example:5000/team/web:1", "web:2"], format))
        #expect(
            try to.store.image(image.id.hex).references.map(\.familiar) == ["registry.example:5000/team/web:1", "web:2"])
        // By its id it comes without a name, and takes none away.
        let third = try StoreFixture()
        #expect(try await third.load(from.save([image.id.short], format)).map(\.references) == [[]])
        #expect(try await to.load(from.save([image.id.short], format)).map(\.references.count) == [2])
    }

    @Test(arguments: ImageArchiveFormat.allCases, ["gzip", "zstd", "xz", "bzip2"])
    func anArchiveMayBeCompressed(format: ImageArchiveFormat, program: String) async throws {
        let (from, to) = (try StoreFixture(), try StoreFixture())
        let image = try await from.image("web:1", [from.layer(["a": String(repeating: "much of the same ", count: 10_000)])])
        let path = try await from.save(["web:1"], format)
        try await from.run(program, "-q", "-k", path)
        let compressed = try #require(try Files.list(from.scratch.path).first { $0.hasPrefix("saved.tar.") })
        #expect(try await to.load(from.scratch(compressed)).map(\.id) == [image.id])
        #expect(try Files.list("\(to.store.root)/tmp") == [])
    }

    @Test func whatIsNotThereCannotBeSavedAndTheOldArchiveStays() async throws {
        let fixture = try StoreFixture()
        _ = try await fixture.image("web:1", [fixture.layer(["a": "1"])])
        try fixture.scratch.file("saved.tar", "old")
        await #expect { try await fixture.save(["web:1", "web:2"], .docker) } throws: { code($0) == "image.not-found" }
        #expect(try fixture.scratch.text("saved.tar") == "old")
        await #expect { try await fixture.save(["web:1"], .docker, as: "nowhere/saved.tar") } throws: {
            code($0) == "image.save"
        }
        try Files.remove("\(fixture.store.layersDirectory)/\(ImageStore.layerName(try fixture.store.image("web:1").layers[0]))")
        await #expect(throws: (any Error).self) { try await fixture.save(["web:1"], .docker) }
        #expect(try fixture.scratch.text("saved.tar") == "old")
        #expect(try Files.list(fixture.scratch.path).sorted() == ["saved.tar", "store"])
    }

    // MARK: Archives of others

    /// Makes an archive of these files, among them links, and gives its path.
    private func archive(
        _ fixture: StoreFixture,
        _ files: [String: [UInt8]],
        links: [String: String] = [:]
    ) throws -> String {
        try Files.remove(fixture.scratch("archive"))
        _ = try fixture.scratch.directory("archive")
        for (name, bytes) in files {
            let path = fixture.scratch("archive/\(name)")
            if let slash = path.lastIndex(of: "/") { try Files.createDirectories(String(path[..<slash])) }
            try Files.write(path, bytes)
        }
        for (name, target) in links {
            let path = fixture.scratch("archive/\(name)")
            if let slash = path.lastIndex(of: "/") { try Files.createDirectories(String(path[..<slash])) }
            #expect(symlink(target, path) == 0)
        }
        try packTree(fixture.scratch("archive"), as: fixture.scratch("archive.tar"))
        return fixture.scratch("archive.tar")
    }

    /// A layer's archive with one file in it, and its digest.
    private func layer(_ fixture: StoreFixture, _ text: String) async throws -> (bytes: [UInt8], digest: Digest) {
        let digest = try await fixture.layer(["file": text])
        let bytes = Mutex<[UInt8]>([])
        try fixture.store.writeArchive(of: digest) { piece in bytes.withLock { $0 += Array(piece) } }
        return (bytes.withLock { $0 }, digest)
    }

    private func config(_ layers: [Digest]) throws -> [UInt8] {
        try encodeJSON(ImageConfig(architecture: "amd64", layers: layers))
    }

    @Test func oldArchivesLinkLayersThatAreTheSame() async throws {
        let (from, to) = (try StoreFixture(), try StoreFixture())
        let layer = try await layer(from, "linked")
        let path = try archive(
            from,
            [
                "config.json": config([layer.digest]), "first/layer.tar": layer.bytes,
                "manifest.json": Array(
                    #"[{"Config":"./config.json","RepoTags":["web:1"],"Layers":["second/layer.tar"]}]"#.utf8),
            ], links: ["second/layer.tar": "../third/layer.tar", "third": "nowhere", "third2/x": "y"])
        // A link to a directory is not followed; one to a file is, over several steps.
        await #expect { _ = try await to.load(path) } throws: { "\($0)".contains("there is no third/layer.tar") }
        let right = try archive(
            from,
            [
                "config.json": config([layer.digest]), "first/layer.tar": layer.bytes,
                "manifest.json": Array(
                    #"[{"Config":"./config.json","RepoTags":["web:1"],"Layers":["second/layer.tar"]}]"#.utf8),
            ], links: ["second/layer.tar": "../third/layer.tar", "third/layer.tar": "./../first/layer.tar"])
        let image = try #require(try await to.load(right).first)
        #expect(try to.store.readFile("file", in: image.layers) == "linked")
        #expect(try await to.store.examine(repairing: false).problems == [])
    }

    @Test(arguments: ["gzip", "zstd"])
    func layersInADockerArchiveMayBeCompressed(program: String) async throws {
        let (from, to) = (try StoreFixture(), try StoreFixture())
        let layer = try await layer(from, "compressed")
        try Files.write(from.scratch("layer"), layer.bytes)
        try await from.run(program, "-q", "-k", "layer")
        let name = try #require(try Files.list(from.scratch.path).first { $0.hasPrefix("layer.") })
        let path = try archive(
            from,
            [
                "config.json": config([layer.digest]), "layer": Files.read(from.scratch(name)),
                "manifest.json": Array(#"[{"Config":"config.json","RepoTags":null,"Layers":["layer"]}]"#.utf8),
            ])
        let image = try #require(try await to.load(path).first)
        #expect(image.references == [])
        #expect(try to.store.readFile("file", in: image.layers) == "compressed")
        let known = try #require(to.store.compressedLayer(layer.digest))
        #expect(known.mediaType == (program == "gzip" ? MediaType.gzipLayer : "application/vnd.oci.image.layer.v1.tar+zstd"))
        #expect(to.store.blobSize(known.digest) == known.size)
        #expect(try await to.store.examine(repairing: false).problems == [])
        // What goes out again is what its name says.
        let again = try StoreFixture()
        #expect(try await again.load(to.save([image.id.hex], .docker)).map(\.id) == [image.id])
    }

    @Test func archivesThatHoldNoImage() async throws {
        let fixture = try StoreFixture()
        let other = try StoreFixture()
        let layer = try await layer(other, "x")
        let config = try config([layer.digest])
        func docker(_ text: String) -> [String: [UInt8]] {
            ["manifest.json": Array(text.utf8), "config.json": config, "layer.tar": layer.bytes]
        }
        let cases: [(files: [String: [UInt8]], code: String, words: String)] = [
            ([:], "image.archive-kind", "neither a manifest.json nor an index.json"),
            (["bin/sh": [1]], "image.archive-kind", "neither a manifest.json nor an index.json"),
            (docker("{"), "image.manifest", "manifest.json in \(fixture.scratch("archive.tar")) can't be read: it is not JSON"),
            (docker("{}"), "image.manifest", "has the wrong type"),
            (docker(#"[{"Layers":[]}]"#), "image.manifest", "there is no 0.Config"),
            (docker("[]"), "image.manifest", "names no image"),
            (docker(#"[{"Config":"other.json","Layers":["layer.tar"]}]"#), "image.manifest", "there is no other.json in"),
            (docker(#"[{"Config":"../../etc/passwd","Layers":["layer.tar"]}]"#), "image.manifest", "there is no etc/passwd in"),
            (docker(#"[{"Config":"config.json","Layers":["other.tar"]}]"#), "image.manifest", "there is no other.tar in"),
            (docker(#"[{"Config":"layer.tar","Layers":["layer.tar"]}]"#), "image.manifest", "its configuration can't be read"),
            (docker(#"[{"Config":"config.json","Layers":[]}]"#), "image.manifest", "names 1 layers and its manifest 0"),
            (docker(#"[{"Config":"config.json","Layers":["config.json"]}]"#), "archive.unreadable", "layer config.json"),
            (
                docker(#"[{"Config":"config.json","RepoTags":["No Name"],"Layers":["layer.tar"]}]"#), "image.reference",
                "is not an image name"
            ),
            (
                [
                    "manifest.json": Array(#"[{"Config":"config.json","Layers":["layer.tar"]}]"#.utf8), "config.json": config,
                    "layer.tar": try await self.layer(other, "y").bytes,
                ], "image.digest", "not the promised \(layer.digest)"
            ),
        ]
        for wrong in cases {
            let path = try archive(fixture, wrong.files)
            let error = await #expect(throws: EscaleError.self) { _ = try await fixture.load(path) }
            #expect(error?.code.rawValue == wrong.code, "\(wrong.words): \(String(describing: error))")
            #expect(error?.message.contains(wrong.words) == true, "\(wrong.words): \(String(describing: error))")
            try fixture.expectNoTrace(wrong.words)
        }
        let loop = try archive(fixture, [:], links: ["manifest.json": "index.json", "index.json": "manifest.json"])
        await #expect { _ = try await fixture.load(loop) } throws: { code($0) == "image.archive-kind" }
    }

    /// The files of a layout with one image, and what can be done to them.
    private struct Layout {
        var files: [String: [UInt8]]
        var index: ImageIndexDocument
        let manifest: Descriptor
        let config: Digest
        let layer: Digest

        mutating func put(_ bytes: [UInt8], _ digest: Digest) { files["blobs/sha256/\(digest.hex)"] = bytes }
        func complete() throws -> [String: [UInt8]] {
            try files.merging(["index.json": encodeJSON(index), "oci-layout": Array("{}".utf8)]) { $1 }
        }
    }

    private func layout(_ fixture: StoreFixture) async throws -> Layout {
        let image = try await fixture.image("layout", [fixture.layer(["file": "x"])])
        let layer = image.layers[0]
        let bytes = Mutex<[UInt8]>([])
        try fixture.store.writeArchive(of: layer) { piece in bytes.withLock { $0 += Array(piece) } }
        let manifest = try fixture.store.blob(image.manifest)
        let entry = Descriptor(mediaType: MediaType.manifest, digest: image.manifest, size: Int64(manifest.count))
        var layout = Layout(
            files: [:], index: ImageIndexDocument(manifests: [entry]), manifest: entry, config: image.id, layer: layer)
        layout.put(bytes.withLock { $0 }, layer)
        layout.put(manifest, image.manifest)
        layout.put(try fixture.store.blob(image.id), image.id)
        return layout
    }

    @Test func layoutsThatHoldNoImage() async throws {
        let (fixture, other) = (try StoreFixture(), try StoreFixture())
        let layout = try await layout(other)
        let cases: [(code: String, words: String, change: (inout Layout) throws -> Void)] = [
            ("image.manifest", "names no image", { $0.index.manifests = [] }),
            ("image.manifest", "there is no blobs/sha256/\(layout.manifest.digest.hex)", { $0.files["blobs/sha256/\($0.manifest.digest.hex)"] = nil }),
            ("image.manifest", "there is no blobs/sha256/\(layout.config.hex)", { $0.files["blobs/sha256/\($0.config.hex)"] = nil }),
            ("image.manifest", "there is no blobs/sha256/\(layout.layer.hex)", { $0.files["blobs/sha256/\($0.layer.hex)"] = nil }),
            ("image.digest", "not the promised \(layout.manifest.digest)", { $0.put([1], $0.manifest.digest) }),
            ("image.digest", "not the promised \(layout.config)", { $0.put([1], $0.config) }),
            ("image.manifest", "another size than its manifest says", { $0.put([1], $0.layer) }),
            ("image.manifest", "another size than its descriptor says", { $0.index.manifests[0].size += 1 }),
            ("image.manifest", "text/plain is no kind of image", { $0.index.manifests[0].mediaType = "text/plain" }),
            (
                "image.platform", "there is no image for linux/amd64",
                { $0.index.manifests[0].platform = ImagePlatform(architecture: "arm64") }
            ),
            (
                "image.reference", "is not an image name",
                { $0.index.manifests[0].annotations = ["org.opencontainers.image.ref.name": "No:Name"] }
            ),
            ("image.digest", "not the promised \(layout.layer)", { layout in
                var bytes = try #require(layout.files["blobs/sha256/\(layout.layer.hex)"])
                bytes[bytes.count - 1] ^= 1
                layout.put(bytes, layout.layer)
            }),
        ]
        for wrong in cases {
            var changed = layout
            try wrong.change(&changed)
            let path = try archive(fixture, changed.complete())
            let error = await #expect(throws: EscaleError.self) { _ = try await fixture.load(path) }
            #expect(error?.code.rawValue == wrong.code, "\(wrong.words): \(String(describing: error))")
            #expect(error?.message.contains(wrong.words) == true, "\(wrong.words): \(String(describing: error))")
            try fixture.expectNoTrace(wrong.words)
        }
        #expect(try await fixture.load(archive(fixture, layout.complete())).map(\.id) == [layout.config])
    }

    @Test func theNameInALayoutIsWholeOrNone() async throws {
        let other = try StoreFixture()
        let layout = try await layout(other)
        for (annotations, names) in [
            (["org.opencontainers.image.ref.name": "latest"], []), (["org.opencontainers.image.ref.name": "web:1"], ["web:1"]),
            (["org.opencontainers.image.ref.name": "1", "io.containerd.image.name": "docker.io/library/web:2"], ["web:2"]),
            ([:], []),
        ] {
            let fixture = try StoreFixture()
            var named = layout
            named.index.manifests[0].annotations = annotations
            let image = try #require(try await fixture.load(archive(fixture, named.complete())).first)
            #expect(image.references.map(\.familiar) == names)
        }
    }

    @Test func ofSeveralMachinesTheRightOneIsTaken() async throws {
        let (fixture, other) = (try StoreFixture(), try StoreFixture())
        var layout = try await layout(other)
        var entries: [Descriptor] = []
        for machine in ["arm64", "amd64"] {
            var entry = layout.manifest
            entry.platform = ImagePlatform(architecture: machine)
            // What is not taken need not be there.
            if machine == "arm64" { entry.digest = layout.layer }
            entries.append(entry)
        }
        let inner = try encodeJSON(ImageIndexDocument(manifests: entries))
        try Files.write(other.scratch("inner"), inner)
        let digest = try other.store.addBlob(inner)
        layout.put(inner, digest)
        layout.index.manifests = [Descriptor(mediaType: MediaType.index, digest: digest, size: Int64(inner.count))]
        #expect(try await fixture.load(archive(fixture, layout.complete())).map(\.id) == [layout.config])
    }

    @Test func whatIsNoArchiveIsNotLoaded() async throws {
        let fixture = try StoreFixture()
        try fixture.scratch.file("text", "this is not an archive\n")
        for name in ["text", "store", "nowhere"] {
            await #expect(throws: EscaleError.self, "\(name)") { _ = try await fixture.load(fixture.scratch(name)) }
            try fixture.expectNoTrace(name)
        }
        let other = try StoreFixture()
        _ = try await other.image("web:1", [other.layer(["a": String(repeating: "x", count: 100_000)])])
        let whole = try Files.read(await other.save(["web:1"], .docker))
        for count in [0, 1, 511, 512, 5000, whole.count / 2] {
            try Files.write(fixture.scratch("cut.tar"), whole[..<count])
            await #expect(throws: EscaleError.self, "\(count)") { _ = try await fixture.load(fixture.scratch("cut.tar")) }
            try fixture.expectNoTrace("\(count) bytes")
        }
    }
}

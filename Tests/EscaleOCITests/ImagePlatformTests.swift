import EscaleCore
import EscaleOCI
import Testing

private func entry(_ platform: String?, _ number: Int) throws -> Descriptor {
    let digest = try #require(Digest(hex: String(repeating: "\(number)", count: 64)))
    var entry = Descriptor(mediaType: MediaType.manifest, digest: digest, size: 1)
    if let platform {
        let parts = platform.split(separator: "/").map(String.init)
        entry.platform = ImagePlatform(
            os: parts[0], architecture: parts[1], variant: parts.count > 2 ? parts[2] : nil)
    }
    return entry
}

@Suite struct ImagePlatformTests {
    @Test(arguments: [
        ("linux/amd64", "linux/amd64"), ("amd64", "linux/amd64"), ("x86_64", "linux/amd64"), ("linux/x86-64", "linux/amd64"),
        ("LINUX/ARM64", "linux/arm64"), ("aarch64", "linux/arm64"), ("linux/arm64/v8", "linux/arm64"), ("linux/arm/v7", "linux/arm/v7"),
        ("i386", "linux/386"), ("windows/amd64", "windows/amd64"), ("linux/riscv64", "linux/riscv64"),
    ])
    func whatATextSays(text: String, platform: String) throws {
        #expect(try ImagePlatform(text).description == platform)
    }

    @Test(arguments: ["", "/", "linux/", "/amd64", "linux//v7", "linux/arm/v7/x", "linux/arm/"])
    func whatIsNoPlatform(text: String) {
        let error = #expect(throws: EscaleError.self) { try ImagePlatform(text) }
        #expect(error?.code.rawValue == "image.platform")
        #expect(error?.hint == "write it like linux/amd64 or linux/arm/v7")
    }

    @Test(arguments: [
        ("linux/amd64", "linux/amd64", true), ("linux/amd64", "linux/arm64", false), ("linux/amd64", "windows/amd64", false),
        ("linux/arm/v7", "linux/arm/v7", true), ("linux/arm/v7", "linux/arm/v6", false), ("linux/arm", "linux/arm/v6", true),
        ("linux/arm/v7", "linux/arm", true),
    ])
    func whichImagesRun(wanted: String, other: String, runs: Bool) throws {
        #expect(try ImagePlatform(wanted).accepts(ImagePlatform(other)) == runs)
    }

    /// The number of the one that is taken, among those that an index has.
    @Test(arguments: [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], 1), ("linux/arm/v7", ["linux/arm/v6", "linux/arm/v7"], 1),
        // Exactly the right one before one that says less, whatever the order.
        ("linux/arm/v7", ["linux/arm", "linux/arm/v7"], 1), ("linux/arm", ["linux/arm/v7", "linux/arm"], 1),
        ("linux/arm", ["linux/arm/v5", "linux/arm/v7"], 0), ("linux/amd64", [nil], 0), ("linux/amd64", [nil, "linux/amd64"], 1),
        // Attestations are no images.
        ("linux/amd64", ["unknown/unknown", "linux/amd64", "unknown/unknown"], 1),
    ] as [(String, [String?], Int)])
    func theOneThatIsTaken(wanted: String, there: [String?], number: Int) throws {
        let entries = try there.enumerated().map { try entry($0.element, $0.offset) }
        #expect(try ImagePlatform(wanted).choose(among: entries, what: "web") == entries[number])
    }

    @Test(arguments: [
        (["linux/arm64", "windows/amd64"], "it has linux/arm64, windows/amd64"), ([], "it is empty"),
        (["unknown/unknown"], "it is empty"),
    ] as [([String?], String)])
    func whereThereIsNoneWhatThereIsIsTold(there: [String?], hint: String) throws {
        let entries = try there.enumerated().map { try entry($0.element, $0.offset) }
        let wanted = try ImagePlatform("linux/amd64")
        let error = #expect(throws: EscaleError.self) { try wanted.choose(among: entries, what: "web:1") }
        #expect(error?.message == "there is no image for linux/amd64 in web:1")
        #expect(error?.hint == hint)
    }
}

@Suite struct ImageManifestTests {
    @Test(arguments: [
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", MediaType.gzipLayer),
        ("application/vnd.docker.image.rootfs.diff.tar", MediaType.tarLayer), (MediaType.gzipLayer, MediaType.gzipLayer),
        ("application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
    ])
    func layersHaveOneNameEach(type: String, name: String) {
        #expect(MediaType.ociLayer(type) == name)
    }

    @Test func aManifestThatCannotBeTrueIsRefused() throws {
        var right = ImageManifest(config: try entry(nil, 1), layers: [try entry(nil, 2)])
        right.config.mediaType = MediaType.config
        right.layers[0].mediaType = MediaType.gzipLayer
        try right.check()
        let cases: [(String, (inout ImageManifest) -> Void)] = [
            ("schema version 3, not 2", { $0.schemaVersion = 3 }),
            ("too many layers: 501", { $0.layers = Array(repeating: $0.layers[0], count: 501) }),
            ("blob 222222222222 has the size -1", { $0.layers[0].size = -1 }),
            ("blob 111111111111 has the size -1", { $0.config.size = -1 }),
            ("configuration is too large", { $0.config.size = 8 << 20 + 1 }),
            (#"configuration has the media type "text/plain""#, { $0.config.mediaType = "text/plain" }),
            (#"layer 222222222222 has the unknown media type "text/plain""#, { $0.layers[0].mediaType = "text/plain" }),
            ("is kept elsewhere", { $0.layers[0].mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" }),
        ]
        for (words, change) in cases {
            var wrong = right
            change(&wrong)
            let error = #expect(throws: EscaleError.self) { try wrong.check() }
            #expect(error?.code.rawValue == "image.manifest")
            #expect(error?.message.contains(words) == true, "\(String(describing: error))")
        }
    }
}

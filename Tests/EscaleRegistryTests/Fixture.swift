import EscaleAPI
import EscaleCore
import EscaleCrypto
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleRegistry
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

/// A host with a store of its own, whose images go to registries and come from them.
struct Host {
    let scratch: ScratchDirectory
    let store: ImageStore
    let registries: Registries

    /// - Parameter configuration: the text of `registries.yaml`.
    init(configuration: String? = nil) throws {
        scratch = try ScratchDirectory()
        store = try ImageStore(root: scratch("store"))
        if let configuration { try scratch.file("registries.yaml", configuration) }
        registries = Registries(store: store, configurationFile: scratch("registries.yaml"))
    }

    /// Paths and texts.
    func layer(_ files: [String: String]) async throws -> Digest {
        let area = try store.makeWorkArea()
        defer { store.discard(area) }
        for (path, text) in files {
            let full = "\(area.upper)/\(path)"
            if let slash = full.lastIndex(of: "/") { try Files.createDirectories(String(full[..<slash])) }
            try Files.write(full, Array(text.utf8))
        }
        return try #require(try await store.commitLayer(area.upper))
    }

    func image(_ name: String, _ layers: [[String: String]]) async throws -> StoredImage {
        var digests: [Digest] = []
        for files in layers { digests.append(try await layer(files)) }
        var config = ImageConfig(architecture: "amd64")
        config.config.command = ["run", name]
        return try await store.createImage(config, layers: digests, references: [ImageReference(name)])
    }

    func pull(
        _ name: String,
        _ credential: RegistryCredential? = nil,
        progress: @escaping Registries.Progress = { _ in }
    ) async throws -> (image: StoredImage, digest: Digest) {
        try await registries.pull(
            ImageReference(name), platform: ImagePlatform("linux/amd64"), credential: credential, progress: progress)
    }

    /// What an image that never came must not have left: everything but beginnings of downloads, which are kept on purpose.
    func expectNoTrace() throws {
        #expect(store.list().isEmpty)
        #expect(try Files.list("\(store.root)/tmp") == [])
        #expect(try Files.list(store.layersDirectory) == ["empty"])
    }

    /// The beginnings of downloads with their sizes.
    func beginnings() throws -> [String: Int] {
        var sizes: [String: Int] = [:]
        for name in try Files.list("\(store.root)/downloads") {
            sizes[name] = try Files.read("\(store.root)/downloads/\(name)").count
        }
        return sizes
    }
}

/// A registry that serves on a free port of this machine, and a client for its bare API.
struct RegistryFixture {
    let scratch: ScratchDirectory
    let store: ImageStore
    let server: RegistryServer
    /// As it stands in images' names.
    let host: String
    let client: HTTPClient

    static func with(
        _ settings: (ScratchDirectory) async throws -> RegistrySettings = { _ in RegistrySettings(listen: "") },
        _ body: (RegistryFixture) async throws -> Void
    ) async throws {
        let scratch = try ScratchDirectory()
        let store = try ImageStore(root: scratch("registry"))
        let server = RegistryServer(store: store, file: scratch("registry.json"))
        var settings = try await settings(scratch)
        let port = try await start(server, &settings)
        let fixture = Self(
            scratch: scratch, store: store, server: server, host: "127.0.0.1:\(port)",
            client: try HTTPClient(.tcp(host: "127.0.0.1", port: port)))
        do {
            try await body(fixture)
        } catch {
            _ = try await server.stop()
            throw error
        }
        _ = try await server.stop()
    }

    /// Somebody else may take the free port in between: then with another one.
    private static func start(_ server: RegistryServer, _ settings: inout RegistrySettings) async throws -> UInt16 {
        for _ in 0..<10 {
            let port = try await freePort()
            settings.listen = "127.0.0.1:\(port)"
            do {
                _ = try await server.start(settings)
                return port
            } catch let error as EscaleError where error.code == .httpAddressInUse {
                continue
            }
        }
        throw EscaleError(.internalFault, "no port is free")
    }

    // MARK: The bare API

    func send(
        _ method: HTTPMethod,
        _ target: String,
        _ headers: HTTPHeaders = [:],
        body: [UInt8] = []
    ) async throws -> HTTPClient.Response {
        try await client.send(
            HTTPRequest(method, target: target, headers: headers, body: body), timeout: .seconds(60))
    }

    /// Puts a blob with one request.
    @discardableResult
    func blob(_ bytes: [UInt8], in name: String) async throws -> Digest {
        let digest = digest(of: bytes)
        let response = try await send(.post, "/v2/\(name)/blobs/uploads/?digest=\(digest)", body: bytes)
        #expect(response.status == .created, "\(response.text)")
        return digest
    }

    /// Begins an upload and says where it goes on.
    func upload(in name: String) async throws -> String {
        let response = try await send(.post, "/v2/\(name)/blobs/uploads/")
        #expect(response.status == .accepted)
        return try #require(response.headers["Location"])
    }

    /// Puts a manifest with a configuration and a layer of these texts.
    @discardableResult
    func manifest(_ name: String, _ tag: String, layer: String = "layer", subject: Digest? = nil) async throws -> Digest {
        let config = try await blob(Array("{\"config\": \"\(layer)\"}".utf8), in: name)
        let blob = try await blob(Array(layer.utf8), in: name)
        var manifest = ImageManifest(
            config: Descriptor(
                mediaType: MediaType.config, digest: config, size: Int64("{\"config\": \"\(layer)\"}".utf8.count)),
            layers: [Descriptor(mediaType: MediaType.tarLayer, digest: blob, size: Int64(layer.utf8.count))])
        if let subject {
            manifest.subject = Descriptor(mediaType: MediaType.manifest, digest: subject, size: 1)
            manifest.artifactType = "application/x-\(layer)"
            manifest.annotations = ["about": layer]
        }
        let bytes = try encodeJSON(manifest)
        let response = try await send(
            .put, "/v2/\(name)/manifests/\(tag.isEmpty ? digest(of: bytes).description : tag)",
            ["Content-Type": MediaType.manifest], body: bytes)
        #expect(response.status == .created, "\(response.problem)")
        return digest(of: bytes)
    }
}

extension HTTPClient.Response {
    /// Status and code of a refusal: `400 NAME_INVALID`.
    var problem: String {
        struct Refusal: Decodable {
            struct Item: Decodable { let code: String }
            let errors: [Item]
        }
        let code = (try? decodeJSON(Refusal.self, from: body))?.errors.first?.code
        return code.map { "\(status) \($0)" } ?? "\(status)"
    }

    var text: String { String(decoding: body, as: UTF8.self) }
}

/// A port that nobody listens at.
func freePort() async throws -> UInt16 {
    let server = HTTPServer(address: .loopback(port: 0)) { _ in .text(.ok, "") }
    try server.start()
    let port = try #require(server.port)
    await server.stop(grace: .zero)
    return port
}

/// The error that the body throws must have this code, and these words in its message.
@discardableResult
func expectError(
    _ code: String,
    _ words: String = "",
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Void
) async -> EscaleError? {
    let error = await #expect(throws: EscaleError.self, sourceLocation: sourceLocation) { try await body() }
    #expect(error?.code.rawValue == code, "\(String(describing: error))", sourceLocation: sourceLocation)
    if !words.isEmpty {
        #expect(
            error?.message.contains(words) == true, "\(String(describing: error))", sourceLocation: sourceLocation)
    }
    return error
}

/// Waits until it is so, for half a minute at most.
func becomesTrue(_ isSo: () throws -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(30)
    while try !isSo() {
        guard ContinuousClock.now < deadline else { return false }
        try await Task.sleep(for: .milliseconds(5))
    }
    return true
}

func digest(of bytes: [UInt8]) -> Digest { SHA256.digest(of: bytes) }

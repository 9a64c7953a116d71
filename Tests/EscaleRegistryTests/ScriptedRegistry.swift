import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleSystem
import EscaleTestSupport
import Synchronization
import Testing

/// An image as a registry has it, made once: one layer that is too random to be compressed.
struct SampleImage: Sendable {
    let config: [UInt8]
    let layer: [UInt8]
    let manifest: [UInt8]
    /// The image's id.
    var id: Digest { digest(of: config) }
    let blob: Descriptor

    static func make() async throws -> SampleImage {
        let host = try Host()
        var random = Seeded(7)
        let text = (0..<20_000).map { _ in hexadecimal(random.next()) }.joined()
        let image = try await host.image("sample", [["text": text]])
        let (blob, descriptor) = try host.store.compress(image.layers[0])
        let config = try host.store.blob(image.id)
        let manifest = ImageManifest(
            config: Descriptor(mediaType: MediaType.config, digest: image.id, size: Int64(config.count)),
            layers: [descriptor])
        return SampleImage(
            config: config, layer: try Files.read(blob.path), manifest: try encodeJSON(manifest), blob: descriptor)
    }

    /// The same with another manifest.
    func with(_ change: (inout ImageManifest) -> Void) throws -> SampleImage {
        var document = try decodeJSON(ImageManifest.self, from: manifest)
        change(&document)
        return SampleImage(config: config, layer: layer, manifest: try encodeJSON(document), blob: blob)
    }
}

/// A registry in this process that has one image, `web:1`, and misbehaves as its script says.
final class ScriptedRegistry: Sendable {
    /// What to answer to a request, of which so many like it came before; `nil` for what a registry answers.
    typealias Script =
        @Sendable (_ registry: ScriptedRegistry, _ request: HTTPRequest, _ before: Int) async -> HTTPResponse?

    let image: SampleImage
    private let script: Script
    private let seen = Mutex<[HTTPRequest]>([])
    private let server = Mutex<HTTPServer?>(nil)

    init(_ image: SampleImage, _ script: @escaping Script) {
        self.image = image
        self.script = script
    }

    /// All requests but those that ask whether it is a registry.
    var requests: [HTTPRequest] { seen.withLock { $0 }.filter { $0.path != "/v2/" } }
    var blobRequests: [HTTPRequest] { requests.filter { $0.path.contains("/blobs/\(image.blob.digest)") } }
    var host: String { "127.0.0.1:\(server.withLock { $0?.port } ?? 0)" }
    var name: String { host + "/web:1" }

    static func with(
        _ image: SampleImage? = nil,
        script: @escaping Script,
        _ body: (ScriptedRegistry) async throws -> Void
    ) async throws {
        var sample = image
        if sample == nil { sample = try await SampleImage.make() }
        let registry = ScriptedRegistry(try #require(sample), script)
        let server = HTTPServer(address: .loopback(port: 0)) { await registry.answer($0) }
        try server.start()
        registry.server.withLock { $0 = server }
        do {
            try await body(registry)
        } catch {
            await server.stop(grace: .zero)
            throw error
        }
        await server.stop(grace: .zero)
    }

    private func answer(_ request: HTTPRequest) async -> HTTPResponse {
        let before = seen.withLock { seen in
            seen.append(request)
            return seen.filter { $0.method == request.method && $0.encodedPath == request.encodedPath }.count - 1
        }
        if let response = await script(self, request, before) { return response }
        return usual(request)
    }

    /// What a registry answers that does all right.
    func usual(_ request: HTTPRequest) -> HTTPResponse {
        let blobs = [image.id: image.config, image.blob.digest: image.layer]
        switch request.path {
        case "/v2/": return HTTPResponse(.ok)
        case "/v2/web/manifests/1", "/v2/web/manifests/\(digest(of: image.manifest))":
            return HTTPResponse(.ok, headers: ["Content-Type": MediaType.manifest], body: image.manifest)
        default:
            guard let bytes = request.segments.last.flatMap({ Digest($0) }).flatMap({ blobs[$0] }) else {
                return HTTPResponse(.notFound)
            }
            guard let start = request.rangeStart, start > 0 else { return HTTPResponse(.ok, body: bytes) }
            guard start < bytes.count else { return HTTPResponse(.rangeNotSatisfiable) }
            return HTTPResponse(
                .partialContent, headers: ["Content-Range": "bytes \(start)-\(bytes.count - 1)/\(bytes.count)"],
                body: Array(bytes[start...]))
        }
    }

    /// The layer up to there, then the connection breaks.
    func broken(at count: Int, from start: Int = 0) -> HTTPResponse {
        let bytes = Array(image.layer[start..<count])
        var headers: HTTPHeaders = [:]
        if start > 0 { headers["Content-Range"] = "bytes \(start)-\(image.layer.count - 1)/\(image.layer.count)" }
        return .stream(start > 0 ? .partialContent : .ok, headers: headers) { writer in
            try await writer.write(bytes)
            throw CancellationError()
        }
    }
}

extension HTTPRequest {
    /// Where a range begins: 5 of `bytes=5-`.
    var rangeStart: Int? { headers["Range"].flatMap { Int($0.dropFirst(6).prefix { $0 != "-" }) } }
    var isForLayer: Bool { path.contains("/blobs/") }
}

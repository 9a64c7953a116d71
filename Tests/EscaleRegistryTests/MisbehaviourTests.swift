import EscaleAPI
import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleSystem
import Synchronization
import Testing

/// Registries that fail, lie, send elsewhere, or ask for a login in some way.
@Suite struct MisbehaviourTests {
    private static func isLayer(_ request: HTTPRequest, _ image: SampleImage) -> Bool {
        request.path == "/v2/web/blobs/\(image.blob.digest)"
    }

    // MARK: What passes

    @Test(arguments: [429, 500, 502, 503, 504, 408])
    func aRefusalThatMayPassIsTriedAgain(status: Int) async throws {
        let image = try await SampleImage.make()
        try await ScriptedRegistry.with(image, script: { _, request, before in
            before > 0 ? nil : HTTPResponse(HTTPStatus(rawValue: status), headers: ["Retry-After": "0"])
        }) { registry in
            let host = try Host()
            #expect(try await host.pull(registry.name).image.id == image.id)
            #expect(registry.requests.count == 6)
        }
    }

    @Test func aRefusalThatStaysIsTold() async throws {
        let body = #"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow\ndown"}]}"#
        for (status, code, words) in [
            (429, "registry.too-many", "has had too many requests and asks to wait: slow down"),
            (503, "registry.failed", "it answered 503: slow down"), (403, "registry.denied", "does not allow this"),
            (404, "registry.not-found", "there is no"), (418, "registry.refused", "with 418: slow down"),
        ] {
            try await ScriptedRegistry.with(script: { _, request, _ in
                request.path == "/v2/" ? nil
                    : HTTPResponse(HTTPStatus(rawValue: status), headers: ["Retry-After": "0"], body: Array(body.utf8))
            }) { registry in
                let host = try Host()
                await expectError(code, words) { _ = try await host.pull(registry.name) }
                #expect(registry.requests.count == (status == 429 || status == 503 ? 6 : 1))
                try host.expectNoTrace()
            }
        }
    }

    @Test func aBlobThatBreaksOffIsGoneOnWith() async throws {
        let image = try await SampleImage.make()
        let half = image.layer.count / 2
        try await ScriptedRegistry.with(image, script: { registry, request, before in
            guard Self.isLayer(request, image), before == 0 else { return nil }
            return registry.broken(at: half)
        }) { registry in
            let host = try Host()
            #expect(try await host.pull(registry.name).image.id == image.id)
            #expect(registry.blobRequests.map(\.rangeStart) == [nil, half])
            #expect(try host.beginnings().isEmpty)
        }
    }

    @Test func aServerThatKnowsNoRangesBeginsAnew() async throws {
        let image = try await SampleImage.make()
        try await ScriptedRegistry.with(image, script: { registry, request, before in
            guard Self.isLayer(request, image) else { return nil }
            return before == 0 ? registry.broken(at: 1000) : HTTPResponse(.ok, body: image.layer)
        }) { registry in
            let host = try Host()
            #expect(try await host.pull(registry.name).image.id == image.id)
            #expect(registry.blobRequests.map(\.rangeStart) == [nil, 1000])
        }
    }

    @Test func aServerThatSendsAnotherRangeBeginsAnew() async throws {
        let image = try await SampleImage.make()
        try await ScriptedRegistry.with(image, script: { registry, request, before in
            guard Self.isLayer(request, image) else { return nil }
            switch before {
            case 0: return registry.broken(at: 1000)
            case 1:
                return HTTPResponse(
                    .partialContent, headers: ["Content-Range": "bytes 10-19/\(image.layer.count)"],
                    body: Array(image.layer[10..<20]))
            default: return nil
            }
        }) { registry in
            let host = try Host()
            #expect(try await host.pull(registry.name).image.id == image.id)
            #expect(registry.blobRequests.map(\.rangeStart) == [nil, 1000, nil])
        }
    }

    // MARK: What is wrong

    @Test func aBlobOfAnotherLengthIsRefused() async throws {
        let image = try await SampleImage.make()
        let others: [(bytes: [UInt8], words: String)] = [
            (image.layer + [0], "is longer than the \(image.layer.count) bytes"),
            (Array(image.layer.dropLast()), "has \(image.layer.count - 1) bytes, not the \(image.layer.count)"),
            ([], "has 0 bytes"),
        ]
        for other in others {
            try await ScriptedRegistry.with(image, script: { _, request, _ in
                Self.isLayer(request, image) ? HTTPResponse(.ok, body: other.bytes) : nil
            }) { registry in
                let host = try Host()
                await expectError("image.manifest", other.words) { _ = try await host.pull(registry.name) }
                #expect(registry.blobRequests.count == 1)
                try host.expectNoTrace()
                #expect(try host.beginnings().isEmpty)
            }
        }
    }

    @Test func aBlobWithOtherBytesIsRefusedAndForgotten() async throws {
        let image = try await SampleImage.make()
        var bytes = image.layer
        bytes[bytes.count / 2] ^= 1
        let wrong = bytes
        try await ScriptedRegistry.with(image, script: { _, request, before in
            Self.isLayer(request, image) && before == 0 ? HTTPResponse(.ok, body: wrong) : nil
        }) { registry in
            let host = try Host()
            await expectError("image.digest", "not the promised \(image.blob.digest)") {
                _ = try await host.pull(registry.name)
            }
            try host.expectNoTrace()
            #expect(try host.beginnings().isEmpty)
            #expect(host.store.blobSize(image.blob.digest) == nil)
            #expect(try await host.pull(registry.name).image.id == image.id)
        }
    }

    @Test func aLayerThatIsNotWhatTheConfigurationSaysIsRefused() async throws {
        let other = try await Host().image("other", [["other": "layer"]])
        let sample = try await SampleImage.make()
        var config = try ImageStore.decodeConfig(sample.config)
        config.rootfs.layers = other.layers
        let bytes = try encodeJSON(config)
        let image = try SampleImage(
            config: bytes, layer: sample.layer, manifest: sample.manifest, blob: sample.blob
        ).with { manifest in
            manifest.config = Descriptor(mediaType: MediaType.config, digest: digest(of: bytes), size: Int64(bytes.count))
        }
        try await ScriptedRegistry.with(image, script: { _, _, _ in nil }) { registry in
            let host = try Host()
            await expectError("image.digest", "uncompressed layer") { _ = try await host.pull(registry.name) }
            try host.expectNoTrace()
            try await host.store.collectGarbage()
            #expect(try Files.list("\(host.store.root)/blobs/sha256").isEmpty)
        }
    }

    @Test func manifestsThatCannotBeTrueAreRefused() async throws {
        let image = try await SampleImage.make()
        let cases: [(words: String, change: @Sendable (inout ImageManifest) -> Void)] = [
            ("schema version 1", { $0.schemaVersion = 1 }),
            ("names 1 layers and its manifest 2", { $0.layers.append($0.layers[0]) }),
            ("names 1 layers and its manifest 0", { $0.layers = [] }),
            ("too many layers: 501", { $0.layers = Array(repeating: $0.layers[0], count: 501) }),
            ("has the size -1", { $0.layers[0].size = -1 }), ("configuration is too large", { $0.config.size = 1 << 40 }),
            ("is kept elsewhere", { $0.layers[0].mediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" }),
            (#"configuration has the media type "text/plain""#, { $0.config.mediaType = "text/plain" }),
            (#"has the unknown media type "text/plain""#, { $0.layers[0].mediaType = "text/plain" }),
        ]
        for (words, change) in cases {
            try await ScriptedRegistry.with(try image.with(change), script: { _, _, _ in nil }) { registry in
                let host = try Host()
                await expectError("image.manifest", words) { _ = try await host.pull(registry.name) }
                try host.expectNoTrace()
            }
        }
    }

    @Test func answersThatAreNoManifestsAreRefused() async throws {
        let image = try await SampleImage.make()
        let cases: [(response: HTTPResponse, code: String, words: String)] = [
            (.text(.ok, "hello"), "image.manifest", #"the unknown type "text/plain""#),
            (HTTPResponse(.ok, body: image.manifest), "image.manifest", #"the unknown type """#),
            (
                HTTPResponse(
                    .ok, headers: ["Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"],
                    body: image.manifest), "image.manifest", "the old schema 1"
            ),
            (
                HTTPResponse(.ok, headers: ["Content-Type": MediaType.manifest], body: Array("{".utf8)), "image.manifest",
                "can't be read: it is not JSON"
            ),
            (
                HTTPResponse(
                    .ok, headers: ["Content-Type": MediaType.manifest, "Docker-Content-Digest": image.id.description],
                    body: image.manifest), "image.digest", "not the promised \(image.id)"
            ),
            (
                HTTPResponse(.ok, headers: ["Content-Type": MediaType.manifest], body: [UInt8](repeating: 32, count: 9 << 20)),
                "registry.protocol", "is too large"
            ),
        ]
        for (response, code, words) in cases {
            try await ScriptedRegistry.with(image, script: { _, request, _ in
                request.path.contains("/manifests/") ? response : nil
            }) { registry in
                let host = try Host()
                await expectError(code, words) { _ = try await host.pull(registry.name) }
                try host.expectNoTrace()
            }
        }
    }

    @Test func indexesThatLeadToEachOtherEnd() async throws {
        let image = try await SampleImage.make()
        // Each names the next; a circle can't be made of digests, a long chain can.
        var chain: [Digest: [UInt8]] = [:]
        var next = Descriptor(
            mediaType: MediaType.manifest, digest: digest(of: image.manifest), size: Int64(image.manifest.count))
        for _ in 0..<6 {
            let bytes = try encodeJSON(ImageIndexDocument(manifests: [next]))
            next = Descriptor(mediaType: MediaType.index, digest: digest(of: bytes), size: Int64(bytes.count))
            chain[next.digest] = bytes
        }
        let top = next.digest
        try await ScriptedRegistry.with(image, script: { [chain] _, request, _ in
            guard request.path.contains("/manifests/"), let name = request.segments.last else { return nil }
            let digest = name == "1" ? top : Digest(name)
            return digest.flatMap { chain[$0] }.map {
                HTTPResponse(.ok, headers: ["Content-Type": MediaType.index], body: $0)
            }
        }) { registry in
            await expectError("image.manifest", "too deep") { _ = try await Host().pull(registry.name) }
        }
    }

    @Test func whatIsNoRegistryIsSaidToBeNone() async throws {
        for (response, words) in [
            (HTTPResponse(.notFound), "it has no /v2/"),
            (HTTPResponse(.unauthorized), "a login of a kind that is not known here"),
            (HTTPResponse(.unauthorized, headers: ["WWW-Authenticate": "Negotiate"]), "a login of a kind"),
        ] {
            try await ScriptedRegistry.with(script: { _, _, _ in response }) { registry in
                await expectError("registry.protocol", words) { _ = try await Host().pull(registry.name) }
            }
        }
    }

    // MARK: Elsewhere

    @Test func aBlobMayBeElsewhereAndTheLoginStaysHere() async throws {
        let image = try await SampleImage.make()
        try await ScriptedRegistry.with(image, script: { _, request, _ in
            request.path.hasPrefix("/elsewhere/") ? HTTPResponse(.ok, body: image.layer) : HTTPResponse(.notFound)
        }) { other in
            let place = "http://\(other.host)/elsewhere/layer?signature=a%2Fb+c"
            try await ScriptedRegistry.with(image, script: { _, request, _ in
                guard request.headers["Authorization"] != nil else {
                    return HTTPResponse(.unauthorized, headers: ["WWW-Authenticate": "Basic realm=x"])
                }
                return Self.isLayer(request, image) ? HTTPResponse(.temporaryRedirect, headers: ["Location": place]) : nil
            }) { registry in
                let ana = RegistryCredential(username: "ana", password: "secret")
                let host = try Host()
                #expect(try await host.pull(registry.name, ana).image.id == image.id)
                #expect(registry.requests.allSatisfy { $0.headers["Authorization"] == "Basic YW5hOnNlY3JldA==" })
                #expect(other.requests.count == 1)
                #expect(other.requests.allSatisfy { $0.headers["Authorization"] == nil })
            }
        }
    }

    @Test func aBrokenBlobElsewhereIsGoneOnWithThere() async throws {
        let image = try await SampleImage.make()
        try await ScriptedRegistry.with(image, script: { registry, request, before in
            let path = "/v2/web/blobs/\(image.blob.digest)"
            if request.path == path { return HTTPResponse(.movedPermanently, headers: ["Location": "/moved/\(image.blob.digest)"]) }
            return request.path.hasPrefix("/moved/") && before == 0 ? registry.broken(at: 5000) : nil
        }) { registry in
            let host = try Host()
            #expect(try await host.pull(registry.name).image.id == image.id)
            #expect(registry.requests.filter { $0.path.hasPrefix("/moved/") }.map(\.rangeStart) == [nil, 5000])
        }
    }

    @Test(arguments: [
        ("/v2/web/manifests/1", "in a circle"), ("file:///etc/passwd", "it sends on to file:///etc/passwd"),
        ("ftp://127.0.0.1/x", "it sends on to ftp:"), ("relative", "it sends on to relative"),
        ("gopher:x", "it sends on to"), ("http://127.0.0.1:0/", "it sends on to"),
    ])
    func aPlaceThatIsNoneIsNotGoneTo(location: String, words: String) async throws {
        try await ScriptedRegistry.with(script: { _, request, _ in
            request.path == "/v2/" ? nil : HTTPResponse(.temporaryRedirect, headers: ["Location": location])
        }) { registry in
            let host = try Host()
            await expectError("registry.protocol", words) { _ = try await host.pull(registry.name) }
            #expect(registry.requests.count <= 6)
            try host.expectNoTrace()
        }
    }
}

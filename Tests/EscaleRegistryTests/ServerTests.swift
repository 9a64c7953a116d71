import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleRegistry
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

@Suite struct ServerTests {
    // MARK: Manifests

    @Test func aManifestIsServedAsItCame() async throws {
        try await RegistryFixture.with { registry in
            let digest = try await registry.manifest("shop/web", "1")
            let bytes = try registry.store.blob(digest)
            for reference in ["1", digest.description] {
                let response = try await registry.send(.get, "/v2/shop/web/manifests/\(reference)")
                #expect(response.body == bytes)
                #expect(response.headers["Content-Type"] == MediaType.manifest)
                #expect(response.headers["Docker-Content-Digest"] == digest.description)
                let head = try await registry.send(.head, "/v2/shop/web/manifests/\(reference)")
                #expect(head.status == .ok)
                #expect(head.headers["Content-Length"] == "\(bytes.count)")
            }
            #expect(try await registry.send(.get, "/v2/").status == .ok)
            #expect(try await registry.send(.get, "/v2").status == .ok)
        }
    }

    private static let zeros = "sha256:" + String(repeating: "0", count: 64)

    private static func text(
        version: Int = 2,
        type: String? = nil,
        config: String,
        size: Int = 4,
        layers: String = ""
    ) -> String {
        let own = type.map { #""mediaType":"\#($0)","# } ?? ""
        return #"{"schemaVersion":\#(version),\#(own)"config":{"mediaType":"x","digest":"\#(config)","size":\#(size)},"#
            + #""layers":[\#(layers)]}"#
    }

    @Test func manifestsThatAreNotTaken() async throws {
        try await RegistryFixture.with { registry in
            let config = try await registry.blob(Array("conf".utf8), in: "a").description
            let layer = #"{"mediaType":"x","digest":"\#(Self.zeros)","size":1}"#
            let refusals: [(reference: String, type: String, text: String, problem: String)] = [
                ("-x", MediaType.manifest, "{}", "400 TAG_INVALID"),
                (".x", MediaType.manifest, "{}", "400 TAG_INVALID"),
                (String(repeating: "x", count: 129), MediaType.manifest, "{}", "400 TAG_INVALID"),
                ("a%2Fb", MediaType.manifest, "{}", "400 TAG_INVALID"),
                ("..%2F..%2Findex", MediaType.manifest, "{}", "400 TAG_INVALID"),
                ("x%00", MediaType.manifest, "{}", "400 TAG_INVALID"),
                ("sha256:12", MediaType.manifest, "{}", "400 DIGEST_INVALID"),
                ("sha512:12", MediaType.manifest, "{}", "400 DIGEST_INVALID"),
                (Self.zeros, MediaType.manifest, Self.text(config: config), "400 DIGEST_INVALID"),
                ("1", "", Self.text(config: config), "400 MANIFEST_INVALID"),
                ("1", "application/json", Self.text(config: config), "400 MANIFEST_INVALID"),
                ("1", MediaType.manifest, "", "400 MANIFEST_INVALID"),
                ("1", MediaType.manifest, "{", "400 MANIFEST_INVALID"),
                ("1", MediaType.manifest, "[]", "400 MANIFEST_INVALID"),
                ("1", MediaType.manifest, #"{"schemaVersion":2}"#, "400 MANIFEST_INVALID"),
                ("1", MediaType.manifest, Self.text(config: "sha256:zz"), "400 MANIFEST_INVALID"),
                ("1", MediaType.manifest, Self.text(version: 1, config: config), "400 MANIFEST_INVALID"),
                ("1", MediaType.manifest, Self.text(type: MediaType.index, config: config), "400 MANIFEST_INVALID"),
                ("1", MediaType.dockerManifest, Self.text(type: MediaType.manifest, config: config), "400 MANIFEST_INVALID"),
                ("1", MediaType.manifest, Self.text(config: Self.zeros), "400 MANIFEST_BLOB_UNKNOWN"),
                ("1", MediaType.manifest, Self.text(config: config, layers: layer), "400 MANIFEST_BLOB_UNKNOWN"),
                ("1", MediaType.manifest, Self.text(config: config, size: 5), "400 MANIFEST_INVALID"),
                ("1", MediaType.manifest, Self.text(config: config, size: -4), "400 MANIFEST_INVALID"),
                ("1", MediaType.index, #"{"schemaVersion":2,"manifests":[\#(layer)]}"#, "400 MANIFEST_BLOB_UNKNOWN"),
                ("1", MediaType.index, #"{"schemaVersion":2}"#, "400 MANIFEST_INVALID"),
                ("1", MediaType.index, #"{"schemaVersion":1,"manifests":[]}"#, "400 MANIFEST_INVALID"),
            ]
            for refusal in refusals {
                let response = try await registry.send(
                    .put, "/v2/a/manifests/\(refusal.reference)", ["Content-Type": refusal.type],
                    body: Array(refusal.text.utf8))
                #expect(response.problem == refusal.problem, "\(refusal)")
            }
            #expect(try await registry.send(.get, "/v2/a/tags/list").problem == "404 NAME_UNKNOWN")
            // In another repository its parts aren't known.
            let elsewhere = try await registry.send(
                .put, "/v2/b/manifests/1", ["Content-Type": MediaType.manifest], body: Array(Self.text(config: config).utf8))
            #expect(elsewhere.problem == "400 MANIFEST_BLOB_UNKNOWN")
            let right = try await registry.send(
                .put, "/v2/a/manifests/1", ["Content-Type": MediaType.manifest + "; charset=utf-8"],
                body: Array(Self.text(config: config).utf8))
            #expect(right.status == .created)
        }
    }

    @Test func aManifestOfMoreThanFourMebibytesIsRefused() async throws {
        try await RegistryFixture.with { registry in
            let response = try await registry.send(
                .put, "/v2/a/manifests/1", ["Content-Type": MediaType.manifest],
                body: [UInt8](repeating: 32, count: (4 << 20) + 1))
            #expect(response.status == .contentTooLarge)
        }
    }

    @Test func whatThereIsNot() async throws {
        try await RegistryFixture.with { registry in
            let digest = try await registry.manifest("a", "1")
            let layer = EscaleRegistryTests.digest(of: Array("layer".utf8))
            for (method, target, problem) in [
                (HTTPMethod.get, "/v2/a/manifests/2", "404 MANIFEST_UNKNOWN"),
                (.get, "/v2/a/manifests/\(Self.zeros)", "404 MANIFEST_UNKNOWN"),
                (.get, "/v2/b/manifests/\(digest)", "404 MANIFEST_UNKNOWN"),
                (.delete, "/v2/a/manifests/2", "404 MANIFEST_UNKNOWN"),
                (.get, "/v2/a/blobs/\(Self.zeros)", "404 BLOB_UNKNOWN"),
                (.get, "/v2/a/blobs/1", "400 DIGEST_INVALID"),
                (.get, "/v2/a/referrers/1", "400 DIGEST_INVALID"),
                (.get, "/v2/b/tags/list", "404 NAME_UNKNOWN"),
                (.get, "/repositories/b", "404 NAME_UNKNOWN"),
                (.post, "/v2/a/manifests/1", "405 UNSUPPORTED"), (.put, "/v2/_catalog", "405 UNSUPPORTED"),
                (.patch, "/v2/a/blobs/\(layer)", "405 UNSUPPORTED"), (.put, "/v2/a/blobs/uploads/", "405 UNSUPPORTED"),
                (.get, "/v2/a", "405 UNSUPPORTED"), (.get, "/v1/", "405 UNSUPPORTED"), (.get, "/x", "405 UNSUPPORTED"),
                (.post, "/", "405 UNSUPPORTED"),
            ] {
                #expect(try await registry.send(method, target).problem == problem, "\(method) \(target)")
            }
        }
    }

    @Test(arguments: [
        "..", ".", "a/..", "../a", "%2e%2e", "a%2f..%2f..", "a+b", "a%00", "A", "a//b%20", "a_", "-a", "a:1", "a@b",
        "%C3%A9", "a..b", String(repeating: "a", count: 201),
    ])
    func aNameThatIsNoneLeadsNowhere(name: String) async throws {
        try await RegistryFixture.with { registry in
            let digest = digest(of: [])
            for (method, target) in [
                (HTTPMethod.get, "/v2/\(name)/tags/list"), (.get, "/v2/\(name)/manifests/1"), (.put, "/v2/\(name)/manifests/1"),
                (.delete, "/v2/\(name)/manifests/1"), (.get, "/v2/\(name)/blobs/\(digest)"),
                (.get, "/v2/\(name)/referrers/\(digest)"), (.get, "/repositories/\(name)"),
                (.post, "/v2/\(name)/blobs/uploads/?digest=\(digest)"), (.get, "/v2/\(name)/blobs/uploads/x"),
            ] {
                let response = try await registry.send(method, target)
                #expect(["400 NAME_INVALID", "405 UNSUPPORTED"].contains(response.problem), "\(method) \(target)")
            }
            #expect(try Files.list(registry.scratch.path) == ["registry", "registry.json"])
            #expect(try Files.list("\(registry.store.root)/repositories") == [])
        }
    }

    @Test(arguments: ["..%2F..%2Findex.json", "..", "x", "%00", String(repeating: "0", count: 31) + "/"])
    func anUploadThatIsNoneLeadsNowhere(id: String) async throws {
        try await RegistryFixture.with { registry in
            _ = try await registry.upload(in: "a")
            for method in [HTTPMethod.get, .patch, .put, .delete] {
                let response = try await registry.send(method, "/v2/a/blobs/uploads/\(id)")
                #expect(["404 BLOB_UPLOAD_UNKNOWN"].contains(response.problem), "\(method)")
            }
        }
    }

    // MARK: Lists

    @Test func tagsComeInPages() async throws {
        try await RegistryFixture.with { registry in
            for tag in ["b", "a", "C", "1.0", "c.tmp"] { try await registry.manifest("shop/web", tag) }
            struct Tags: Decodable, Equatable {
                var name = "shop/web"
                let tags: [String]
                init(_ tags: [String]) { self.tags = tags }
            }
            func tags(_ query: String) async throws -> (Tags, String?) {
                let response = try await registry.send(.get, "/v2/shop/web/tags/list\(query)")
                return (try decodeJSON(Tags.self, from: response.body), response.headers["Link"])
            }
            #expect(try await tags("") == (Tags(["1.0", "C", "a", "b", "c.tmp"]), nil))
            let first = try await tags("?n=2")
            #expect(first == (Tags(["1.0", "C"]), #"</v2/shop/web/tags/list?n=2&last=C>; rel="next""#))
            #expect(try await tags("?n=2&last=C") == (Tags(["a", "b"]), #"</v2/shop/web/tags/list?n=2&last=b>; rel="next""#))
            #expect(try await tags("?n=2&last=b") == (Tags(["c.tmp"]), nil))
            #expect(try await tags("?n=5") == (Tags(["1.0", "C", "a", "b", "c.tmp"]), nil))
            #expect(try await tags("?n=0") == (Tags([]), nil))
            #expect(try await tags("?last=z") == (Tags([]), nil))
            #expect(try await tags("?n=10&last=B") == (Tags(["C", "a", "b", "c.tmp"]), nil))
            for text in ["-1", "x", "", "99999999999999999999"] {
                let response = try await registry.send(.get, "/v2/shop/web/tags/list?n=\(text)")
                #expect(response.problem == "400 PAGINATION_NUMBER_INVALID", "\(text)")
            }
        }
    }

    @Test func theCatalogueHasWhatHasImages() async throws {
        try await RegistryFixture.with { registry in
            struct Catalogue: Decodable { let repositories: [String] }
            func catalogue(_ query: String = "") async throws -> ([String], String?) {
                let response = try await registry.send(.get, "/v2/_catalog\(query)")
                let catalogue = try decodeJSON(Catalogue.self, from: response.body)
                return (catalogue.repositories, response.headers["Link"])
            }
            #expect(try await catalogue() == ([], nil))
            _ = try await registry.blob([1], in: "only-a-blob")
            for name in ["web", "shop/web", "a-b", "a/b"] { try await registry.manifest(name, "1") }
            #expect(try await catalogue() == (["a-b", "a/b", "shop/web", "web"], nil))
            #expect(try await catalogue("?n=2") == (["a-b", "a/b"], #"</v2/_catalog?n=2&last=a%2Fb>; rel="next""#))
            #expect(try await catalogue("?n=2&last=a%2Fb") == (["shop/web", "web"], nil))
        }
    }

    @Test func referrersAreFoundByTheirSubject() async throws {
        try await RegistryFixture.with { registry in
            // Also of a subject that comes later, or never.
            let early = try await registry.manifest("a", "", layer: "signature", subject: digest(of: [1]))
            let subject = try await registry.manifest("a", "1")
            let first = try await registry.manifest("a", "", layer: "sbom", subject: subject)
            let second = try await registry.manifest("a", "tagged", layer: "signature", subject: subject)
            func referrers(_ target: String) async throws -> (ImageIndexDocument, HTTPHeaders) {
                let response = try await registry.send(.get, target)
                #expect(response.headers["Content-Type"] == MediaType.index)
                return (try decodeJSON(ImageIndexDocument.self, from: response.body), response.headers)
            }
            let (all, headers) = try await referrers("/v2/a/referrers/\(subject)")
            #expect(Set(all.manifests.map(\.digest)) == [first, second])
            #expect(Set(all.manifests.compactMap(\.artifactType)) == ["application/x-sbom", "application/x-signature"])
            #expect(Set(all.manifests.compactMap { $0.annotations?["about"] }) == ["sbom", "signature"])
            #expect(headers["OCI-Filters-Applied"] == nil)
            let (some, filtered) = try await referrers("/v2/a/referrers/\(subject)?artifactType=application/x-sbom")
            #expect(some.manifests.map(\.digest) == [first])
            #expect(filtered["OCI-Filters-Applied"] == "artifactType")
            #expect(try await referrers("/v2/a/referrers/\(digest(of: [1]))").0.manifests.map(\.digest) == [early])
            #expect(try await referrers("/v2/b/referrers/\(subject)").0.manifests == [])
            let response = try await registry.send(
                .put, "/v2/a/manifests/\(first)", ["Content-Type": MediaType.manifest], body: try registry.store.blob(first))
            #expect(response.headers["OCI-Subject"] == subject.description)
        }
    }

    // MARK: Deleting

    @Test func aTagGoesAloneAndAManifestWithItsTags() async throws {
        try await RegistryFixture.with { registry in
            let digest = try await registry.manifest("a", "1")
            for tag in ["2", "3"] { try await registry.manifest("a", tag) }
            #expect(try await registry.send(.delete, "/v2/a/manifests/1").status == .accepted)
            #expect(try await registry.send(.get, "/v2/a/manifests/1").problem == "404 MANIFEST_UNKNOWN")
            #expect(try registry.store.repositories.tags(in: "a") == ["2", "3"])
            #expect(try await registry.send(.get, "/v2/a/manifests/\(digest)").status == .ok)
            #expect(try await registry.send(.delete, "/v2/a/manifests/\(digest)").status == .accepted)
            #expect(try await registry.send(.get, "/v2/a/manifests/2").problem == "404 MANIFEST_UNKNOWN")
            #expect(try registry.store.repositories.tags(in: "a") == [])
            #expect(try registry.store.repositories.names() == [])
        }
    }

    @Test func aBlobIsTakenOutOfOneRepositoryOnly() async throws {
        try await RegistryFixture.with { registry in
            let digest = try await registry.blob([1, 2], in: "a")
            _ = try await registry.blob([1, 2], in: "b")
            #expect(try await registry.send(.delete, "/v2/a/blobs/\(digest)").status == .accepted)
            #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)").problem == "404 BLOB_UNKNOWN")
            #expect(try await registry.send(.get, "/v2/b/blobs/\(digest)").status == .ok)
            #expect(try await registry.send(.delete, "/v2/a/blobs/\(digest)").problem == "404 BLOB_UNKNOWN")
        }
    }

    /// Makes all that repositories show two days older.
    private func age(_ store: ImageStore) throws {
        let directory = "\(store.root)/repositories"
        for name in try Files.list(directory) {
            for blob in try Files.list("\(directory)/\(name)/blobs") {
                var times = [timeval(), timeval()]
                for index in times.indices { times[index].tv_sec = time(nil) - 2 * 86400 }
                #expect(utimes("\(directory)/\(name)/blobs/\(blob)", times) == 0)
            }
        }
    }

    @Test func collectionKeepsWhatManifestsNameAndWhatIsNew() async throws {
        try await RegistryFixture.with { registry in
            let store = registry.store
            let kept = try await registry.manifest("a", "1", layer: "kept")
            let gone = try await registry.manifest("a", "2", layer: "gone")
            let untagged = try await registry.manifest("a", "", layer: "untagged")
            let loose = try await registry.blob(Array("loose".utf8), in: "a")
            try await store.collectGarbage()
            #expect(store.blobSize(loose) == 5)
            #expect(try await registry.send(.delete, "/v2/a/manifests/\(gone)").status == .accepted)
            try await store.collectGarbage()
            // Its blobs are young: another manifest may be about to name them.
            #expect(store.blobSize(digest(of: Array("gone".utf8))) == 4)
            #expect(store.blobSize(gone) == nil)
            try age(store)
            let new = try await registry.blob(Array("new".utf8), in: "b")
            try await store.collectGarbage()
            for text in ["kept", "untagged", "{\"config\": \"kept\"}", "new"] {
                #expect(store.blobSize(digest(of: Array(text.utf8))) == Int64(text.utf8.count), "\(text)")
            }
            for text in ["gone", "loose", "{\"config\": \"gone\"}"] {
                #expect(store.blobSize(digest(of: Array(text.utf8))) == nil, "\(text)")
                #expect(!store.repositories.has(digest(of: Array(text.utf8)), in: "a"), "\(text)")
            }
            #expect(store.blobSize(kept) != nil)
            #expect(store.blobSize(untagged) != nil)
            #expect(try await registry.send(.get, "/v2/b/blobs/\(new)").status == .ok)
            #expect(try await store.examine(repairing: false).problems == [])
        }
    }

    @Test func aManifestOfAnIndexIsKeptWithItsParts() async throws {
        try await RegistryFixture.with { registry in
            let part = try await registry.manifest("a", "", layer: "part")
            let entry = Descriptor(
                mediaType: MediaType.manifest, digest: part, size: Int64(try registry.store.blob(part).count))
            let index = try encodeJSON(ImageIndexDocument(manifests: [entry]))
            let response = try await registry.send(
                .put, "/v2/a/manifests/all", ["Content-Type": MediaType.index], body: index)
            #expect(response.status == .created)
            try age(registry.store)
            try await registry.store.collectGarbage()
            #expect(try await registry.send(.get, "/v2/a/manifests/\(part)").status == .ok)
            #expect(registry.store.blobSize(digest(of: Array("part".utf8))) == 4)
        }
    }

    // MARK: Pages

    @Test func thePageShowsWhatThereIsAndEscapesIt() async throws {
        try await RegistryFixture.with { registry in
            #expect(try await registry.send(.get, "/").text.contains("There is nothing here yet"))
            let digest = try await registry.manifest("shop/web", "1.0")
            var entry = Descriptor(
                mediaType: MediaType.manifest, digest: digest, size: Int64(try registry.store.blob(digest).count))
            entry.platform = ImagePlatform(os: "<script>alert('x')</script>", architecture: "\"&")
            let index = try encodeJSON(ImageIndexDocument(manifests: [entry]))
            _ = try await registry.send(
                .put, "/v2/shop/web/manifests/all", ["Content-Type": MediaType.index], body: index)
            let list = try await registry.send(.get, "/")
            #expect(list.headers["Content-Type"] == "text/html; charset=utf-8")
            #expect(list.headers["X-Content-Type-Options"] == "nosniff")
            #expect(list.headers["Content-Security-Policy"]?.hasPrefix("default-src 'none'") == true)
            #expect(list.text.contains(#"<a href="/repositories/shop/web">shop/web</a>"#))
            #expect(list.text.contains("<code>1.0</code> <code>all</code>"))
            let page = try await registry.send(.get, "/repositories/shop/web").text
            #expect(page.contains(digest.description))
            #expect(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;/&quot;&amp;"))
            #expect(!page.contains("<script>"))
        }
    }

    // MARK: Watching

    @Test func eachPushAndPullIsTold() async throws {
        try await RegistryFixture.with { registry in
            let (heard, tell) = AsyncStream.makeStream(of: String.self)
            let watch = Task { await registry.server.watch { tell.yield($0) } }
            // Told of nothing before it listens: asks until it is told of something.
            let asking = Task {
                while !Task.isCancelled { try await registry.manifest("warm", "up") }
            }
            var sentences = heard.makeAsyncIterator()
            #expect(await sentences.next()?.hasPrefix("pushed warm up sha256:") == true)
            asking.cancel()
            _ = await asking.result
            let digest = try await registry.manifest("a", "1")
            _ = try await registry.send(.get, "/v2/a/manifests/1")
            _ = try await registry.send(.delete, "/v2/a/manifests/1")
            // Each is told by a task of its own: in any order.
            var rest: Set = ["pushed a 1 \(digest)", "pulled a 1", "deleted a 1"]
            while !rest.isEmpty, let sentence = await sentences.next() { rest.remove(sentence) }
            #expect(rest.isEmpty)
            watch.cancel()
            await watch.value
        }
    }
}

import EscaleAPI
import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleRegistry
import EscaleSystem
import EscaleTestSupport
import Synchronization
import Testing

/// Hears what happens to the parts of an image.
private final class Progress: Sendable {
    private let texts = Mutex<[String]>([])
    var all: [String] { texts.withLock { $0 } }
    var done: Set<String> { Set(all) }
    var report: Registries.Progress {
        { event in if event.isDone { self.texts.withLock { $0.append(event.text) } } }
    }
}

@Suite struct PushPullTests {
    private static let layers = [["bin/sh": "elf", "etc/os-release": "ID=test\n"], ["app/main": "code"]]

    @Test func whatWasPushedIsPulledAsItWas() async throws {
        try await RegistryFixture.with { registry in
            let (from, to) = (try Host(), try Host())
            let name = "\(registry.host)/shop/web:1"
            let image = try await from.image(name, Self.layers)
            let pushed = try await from.registries.push(image, as: ImageReference(name), credential: nil)
            let pulled = try await to.pull(name)
            #expect(pulled.digest == pushed)
            #expect(pulled.image.id == image.id)
            #expect(pulled.image.layers == image.layers)
            #expect(pulled.image.manifest == pushed)
            #expect(pulled.image.sources == ["\(registry.host)/shop/web@\(pushed)"])
            #expect(pulled.image.references.map(\.familiar) == [name])
            #expect(try to.store.readFile("/app/main", in: pulled.image.layers) == "code")
            #expect(try await to.registries.resolve(ImageReference(name), credential: nil) == pushed)
            #expect(try Files.list("\(to.store.root)/tmp") == [])
            #expect(try Files.list("\(to.store.root)/downloads") == [])
            #expect(try await to.store.examine(repairing: false).problems == [])
            #expect(try await registry.store.examine(repairing: false).problems == [])
        }
    }

    @Test func aSecondPushAndASecondPullMoveNothing() async throws {
        try await RegistryFixture.with { registry in
            let (from, to) = (try Host(), try Host())
            let name = "\(registry.host)/shop/web:1"
            let image = try await from.image(name, Self.layers)
            let first = Progress()
            let digest = try await from.registries.push(
                image, as: ImageReference(name), credential: nil, progress: first.report)
            #expect(first.done == ["Pushed"])
            let second = Progress()
            let again = try await from.registries.push(
                try from.store.image(name), as: ImageReference(name), credential: nil, progress: second.report)
            #expect(again == digest)
            #expect(second.done == ["Layer already exists"])
            _ = try await to.pull(name)
            let pull = Progress()
            #expect(try await to.pull(name, progress: pull.report).digest == digest)
            #expect(pull.done == ["Already exists"])
        }
    }

    @Test func aPulledImageKeepsItsDigestWhereverItIsPushed() async throws {
        try await RegistryFixture.with { first in
            try await RegistryFixture.with { second in
                let (from, between) = (try Host(), try Host())
                let image = try await from.image("web", Self.layers)
                let digest = try await from.registries.push(
                    image, as: ImageReference("\(first.host)/web:1"), credential: nil)
                let pulled = try await between.pull("\(first.host)/web:1").image
                let name = try ImageReference("\(second.host)/elsewhere/web:2")
                #expect(try await between.registries.push(pulled, as: name, credential: nil) == digest)
            }
        }
    }

    @Test func anotherRepositoryOfTheSameRegistryMountsTheLayers() async throws {
        try await RegistryFixture.with { registry in
            let from = try Host()
            let image = try await from.image("web", Self.layers)
            let digest = try await from.registries.push(
                image, as: ImageReference("\(registry.host)/web:1"), credential: nil)
            let progress = Progress()
            let again = try await from.registries.push(
                try from.store.image("web"), as: ImageReference("\(registry.host)/team/web:1"), credential: nil,
                progress: progress.report)
            #expect(progress.done == ["Mounted from web"])
            #expect(again == digest)
            let host = try Host()
            #expect(try await host.pull("\(registry.host)/team/web:1").image.id == image.id)
        }
    }

    @Test func anImageIsFoundByItsDigest() async throws {
        try await RegistryFixture.with { registry in
            let (from, to) = (try Host(), try Host())
            let image = try await from.image("web", Self.layers)
            let digest = try await from.registries.push(
                image, as: ImageReference("\(registry.host)/web:1"), credential: nil)
            let pulled = try await to.pull("\(registry.host)/web@\(digest)")
            #expect(pulled.image.id == image.id)
            #expect(try to.store.image("\(registry.host)/web@\(digest)").id == image.id)
            let error = await expectError("registry.not-found", "there is no \(registry.host)/web:2") {
                _ = try await to.pull("\(registry.host)/web:2")
            }
            #expect(error?.hint?.contains("escale login") == true)
        }
    }

    @Test func anIndexGivesTheImageForTheMachine() async throws {
        try await RegistryFixture.with { registry in
            let (from, to) = (try Host(), try Host())
            var entries: [Descriptor] = []
            for machine in ["arm64", "amd64"] {
                let image = try await from.image(machine, [["machine": machine]])
                let digest = try await from.registries.push(
                    image, as: ImageReference("\(registry.host)/web:\(machine)"), credential: nil)
                let size = try registry.store.blob(digest).count
                var entry = Descriptor(mediaType: MediaType.manifest, digest: digest, size: Int64(size))
                entry.platform = ImagePlatform(architecture: machine)
                entries.append(entry)
            }
            let index = try encodeJSON(ImageIndexDocument(manifests: entries))
            let response = try await registry.send(
                .put, "/v2/web/manifests/all", ["Content-Type": MediaType.index], body: index)
            #expect(response.status == .created)
            let pulled = try await to.pull("\(registry.host)/web:all")
            #expect(pulled.digest == digest(of: index))
            #expect(try to.store.readFile("machine", in: pulled.image.layers) == "amd64")
            let error = await expectError("image.platform", "linux/riscv64") {
                _ = try await to.registries.pull(
                    ImageReference("\(registry.host)/web:all"), platform: ImagePlatform("linux/riscv64"), credential: nil)
            }
            #expect(error?.hint == "it has linux/arm64, linux/amd64")
        }
    }

    @Test func aNameWithoutATagCannotBePushedTo() async throws {
        let from = try Host()
        let image = try await from.image("web", Self.layers)
        await expectError("image.reference", "has no tag") {
            _ = try await from.registries.push(
                image, as: ImageReference("127.0.0.1:1/web@\(image.id)"), credential: nil)
        }
    }

    @Test func nobodyListens() async throws {
        let port = try await freePort()
        let host = try Host()
        await expectError("http.unreachable", "nobody listens at 127.0.0.1:\(port)") {
            _ = try await host.pull("127.0.0.1:\(port)/web")
        }
        try host.expectNoTrace()
    }

    // MARK: Users

    /// The password is `secret`.
    private static let users = "ana:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"

    private static func guarded(_ scratch: ScratchDirectory) throws -> RegistrySettings {
        try scratch.file("htpasswd", users)
        return RegistrySettings(listen: "", htpasswd: scratch("htpasswd"))
    }

    @Test func onlyUsersWithTheRightPasswordComeIn() async throws {
        try await RegistryFixture.with({ try Self.guarded($0) }) { registry in
            let (from, to) = (try Host(), try Host())
            let name = try ImageReference("\(registry.host)/web:1")
            let image = try await from.image(name.familiar, Self.layers)
            let missing = await expectError("registry.denied", "wants to know who asks") {
                _ = try await from.registries.push(image, as: name, credential: nil)
            }
            #expect(missing?.hint == "log in with `escale login \(registry.host)`")
            for wrong in ["Secret", "", "secret "] {
                let credential = RegistryCredential(username: "ana", password: wrong)
                await expectError("registry.denied", "does not accept the user name or the password") {
                    _ = try await from.registries.push(image, as: name, credential: credential)
                }
            }
            let bob = RegistryCredential(username: "bob", password: "secret")
            await expectError("registry.denied", "does not accept") {
                try await from.registries.logIn(registry.host, bob)
            }
            #expect(try registry.store.repositories.names() == [])
            let ana = RegistryCredential(username: "ana", password: "secret")
            try await from.registries.logIn(registry.host, ana)
            let digest = try await from.registries.push(image, as: name, credential: ana)
            await expectError("registry.denied", "wants to know who asks") {
                _ = try await to.pull(name.familiar)
            }
            let pulled = try await to.pull(name.familiar, ana)
            #expect(pulled.digest == digest)
        }
    }

    @Test func everyEndpointAsksWhoItIs() async throws {
        try await RegistryFixture.with({ try Self.guarded($0) }) { registry in
            let digest = digest(of: [])
            for (method, target) in [
                (HTTPMethod.get, "/v2/"), (.get, "/v2/_catalog"), (.get, "/v2/a/tags/list"), (.get, "/"),
                (.get, "/v2/a/manifests/1"), (.put, "/v2/a/manifests/1"), (.delete, "/v2/a/manifests/1"),
                (.get, "/v2/a/blobs/\(digest)"), (.post, "/v2/a/blobs/uploads/"), (.patch, "/v2/a/blobs/uploads/x"),
                (.put, "/v2/a/blobs/uploads/x"), (.get, "/v2/a/blobs/uploads/x"), (.get, "/v2/a/referrers/\(digest)"),
                (.get, "/repositories/a"), (.post, "/v2/a/blobs/uploads/?mount=\(digest)&from=b"),
            ] {
                let response = try await registry.send(method, target)
                #expect(response.problem == "401 UNAUTHORIZED", "\(method) \(target)")
                #expect(response.headers["WWW-Authenticate"] == #"Basic realm="Escale""#, "\(method) \(target)")
            }
            #expect(try Files.list("\(registry.store.root)/uploads") == [])
            for wrong in ["Basic", "Basic !!!", "Bearer x", "Basic YW5h"] {
                #expect(try await registry.send(.get, "/v2/", ["Authorization": wrong]).status == .unauthorized)
            }
            // ana:secret
            #expect(try await registry.send(.get, "/v2/", ["Authorization": "basic YW5hOnNlY3JldA=="]).status == .ok)
        }
    }

    @Test func aChangedFileOfUsersCountsAtOnce() async throws {
        try await RegistryFixture.with({ try Self.guarded($0) }) { registry in
            let host = try Host()
            let ana = RegistryCredential(username: "ana", password: "secret")
            try await host.registries.logIn(registry.host, ana)
            try Files.replace(registry.scratch("htpasswd"), Array(Self.users.replacing("ana", with: "bob").utf8))
            await expectError("registry.denied") { try await host.registries.logIn(registry.host, ana) }
            try await host.registries.logIn(registry.host, .init(username: "bob", password: "secret"))
        }
    }

    @Test(arguments: [
        ("", "has no users"), ("# nobody\n", "has no users"), ("ana:$apr1$abc$def\n", "hash that is not known"),
    ])
    func aFileOfUsersThatIsNoneIsRefused(text: String, words: String) async throws {
        await expectError("registry.htpasswd", words) {
            try await RegistryFixture.with(
                { scratch in
                    try scratch.file("htpasswd", text)
                    return RegistrySettings(listen: "", htpasswd: scratch("htpasswd"))
                }, { _ in })
        }
    }

    // MARK: TLS

    private static func secure(_ scratch: ScratchDirectory) async throws -> RegistrySettings {
        try await makeCertificate(in: scratch)
        return RegistrySettings(listen: "", certificate: scratch("tls.crt"), key: scratch("tls.key"))
    }

    private static func makeCertificate(in scratch: ScratchDirectory) async throws {
        let made = try await Command(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", scratch("tls.key"),
                "-out", scratch("tls.crt"),
            ]
        ).run(timeout: .seconds(60))
        #expect(made.status == 0, "\(made.text)")
    }

    @Test func aCertificateOfItsOwnIsBelievedWhereTheConfigurationNamesIt() async throws {
        try await RegistryFixture.with({ try await Self.secure($0) }) { registry in
            let configuration = "registries:\n  \(registry.host):\n    ca: \(registry.scratch("tls.crt"))\n"
            let from = try Host(configuration: configuration)
            let to = try Host(configuration: configuration)
            let name = "\(registry.host)/web:1"
            let image = try await from.image(name, Self.layers)
            let digest = try await from.registries.push(image, as: ImageReference(name), credential: nil)
            #expect(try await to.pull(name).digest == digest)
            // This machine's own addresses need no certificate that somebody vouches for.
            let host = try Host()
            #expect(try await host.pull(name).digest == digest)
        }
    }

    @Test func anotherCertificateIsNotBelieved() async throws {
        try await RegistryFixture.with({ try await Self.secure($0) }) { registry in
            let other = try ScratchDirectory()
            try await Self.makeCertificate(in: other)
            let host = try Host(configuration: "registries:\n  \(registry.host):\n    ca: \(other("tls.crt"))\n")
            let error = await expectError("http.untrusted", "is not trusted") {
                _ = try await host.pull("\(registry.host)/web:1")
            }
            #expect(error?.hint?.contains("/etc/escale/certs.d/\(registry.host)/ca.crt") == true)
            try host.expectNoTrace()
        }
    }

    @Test func aCertificateNeedsItsKey() async throws {
        await expectError("registry.certificate", "a certificate needs its key") {
            try await RegistryFixture.with({ RegistrySettings(listen: "", certificate: $0("tls.crt")) }, { _ in })
        }
        await expectError("http.listen-failed", "can't use its certificate") {
            try await RegistryFixture.with(
                { scratch in
                    for name in ["a", "b"] { try scratch.file(name, "nonsense") }
                    return RegistrySettings(listen: "", certificate: scratch("a"), key: scratch("b"))
                }, { _ in })
        }
    }

    // MARK: Serving

    @Test func aRegistryThatWasServingComesBack() async throws {
        let scratch = try ScratchDirectory()
        let store = try ImageStore(root: scratch("store"))
        let settings = RegistrySettings(listen: "127.0.0.1:\(try await freePort())", isPermanent: true)
        let first = RegistryServer(store: store, file: scratch("registry.json"))
        #expect(await first.resume() == nil)
        #expect(try await first.status() == nil)
        #expect(try await first.start(settings).url == "http://\(settings.listen)/")
        #expect(try await first.start(settings).settings == settings)
        var other = settings
        other.isPermanent = false
        await expectError("registry.running", "serves at http://\(settings.listen)/ already") {
            _ = try await first.start(other)
        }
        // As after a kill: the file stays, the port is free.
        let kept = try scratch.text("registry.json")
        #expect(try await first.stop())
        #expect(!Files.exists(scratch("registry.json")))
        #expect(try await !first.stop())
        try scratch.file("registry.json", kept)
        let second = RegistryServer(store: store, file: scratch("registry.json"))
        #expect(await second.resume() == nil)
        #expect(try await second.status()?.settings == settings)
        #expect(try await second.stop())
        try scratch.file("registry.json", "nonsense")
        #expect(await second.resume() != nil)
    }

    @Test(arguments: ["5000", "127.0.0.1", ":5000", "127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:x"])
    func anAddressNeedsAPort(listen: String) async throws {
        let scratch = try ScratchDirectory()
        let server = RegistryServer(store: try ImageStore(root: scratch("store")), file: scratch("registry.json"))
        await expectError("registry.address", "is not an address and a port") {
            _ = try await server.start(RegistrySettings(listen: listen))
        }
    }
}

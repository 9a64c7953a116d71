import EscaleAPI
import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleOCI
import Synchronization
import Testing

/// Requests that came to a login server.
private final class Asked: Sendable {
    private let list = Mutex<[HTTPRequest]>([])
    var all: [HTTPRequest] { list.withLock { $0 } }

    /// How many there are, with this one.
    func add(_ request: HTTPRequest) -> Int {
        list.withLock { list in
            list.append(request)
            return list.count
        }
    }
}

/// Registries with a login server, as Docker's has one (distribution specification, token authentication).
@Suite struct LoginTests {
    private static let ana = RegistryCredential(username: "ana", password: "secret")

    /// - Parameters:
    ///   - answer: what the login server calls its token.
    ///   - accepts: whether a token, by its number, is good for the request.
    private static func guarded(
        _ asked: Asked,
        answer: String = "token",
        accepts: @escaping @Sendable (_ token: Int, _ request: HTTPRequest) -> Bool = { _, _ in true }
    ) -> ScriptedRegistry.Script {
        { registry, request, _ in
            if request.path == "/token" {
                return .text(.ok, #"{"\#(answer)":"t\#(asked.add(request))","expires_in":300}"#)
            }
            if let header = request.headers["Authorization"], header.hasPrefix("Bearer t"),
                let number = Int(header.dropFirst(8)), accepts(number, request)
            {
                return nil
            }
            let challenge =
                #"Bearer realm="http://\#(registry.host)/token",service="a, b",scope="repository:web:pull""#
            return HTTPResponse(.unauthorized, headers: ["WWW-Authenticate": challenge])
        }
    }

    @Test(arguments: ["token", "access_token"])
    func aTokenIsAskedForOnceAndUsedAgain(answer: String) async throws {
        let asked = Asked()
        try await ScriptedRegistry.with(script: Self.guarded(asked, answer: answer)) { registry in
            let host = try Host()
            #expect(try await host.pull(registry.name, Self.ana).image.id == registry.image.id)
            #expect(asked.all.count == 1)
            let request = try #require(asked.all.first)
            #expect(request.query["service"] == "a, b")
            #expect(request.query["scope"] == "repository:web:pull")
            #expect(request.query["account"] == "ana")
            #expect(request.headers["Authorization"] == "Basic YW5hOnNlY3JldA==")
            // The password goes to the login server alone.
            let others = registry.requests.filter { $0.path != "/token" }
            #expect(others.allSatisfy { $0.headers["Authorization"] == "Bearer t1" })
        }
    }

    @Test func nobodyInParticularIsGivenATokenToo() async throws {
        let asked = Asked()
        try await ScriptedRegistry.with(script: Self.guarded(asked)) { registry in
            let host = try Host()
            #expect(try await host.pull(registry.name).image.id == registry.image.id)
            #expect(asked.all.map { $0.headers["Authorization"] } == [nil])
            #expect(asked.all.map { $0.query["account"] } == [nil])
        }
    }

    @Test func anEarlierLoginIsExchangedForAToken() async throws {
        let asked = Asked()
        try await ScriptedRegistry.with(script: Self.guarded(asked)) { registry in
            let credential = RegistryCredential(username: "", password: "", identityToken: "an+identity")
            let host = try Host()
            #expect(try await host.pull(registry.name, credential).image.id == registry.image.id)
            let request = try #require(asked.all.first)
            #expect(request.method == .post)
            #expect(request.headers["Content-Type"] == "application/x-www-form-urlencoded")
            let form = String(decoding: request.body, as: UTF8.self)
            #expect(form.contains("grant_type=refresh_token&refresh_token=an%2Bidentity"))
            #expect(form.contains("service=a%2C%20b&scope=repository%3Aweb%3Apull"))
        }
    }

    @Test func aTokenThatIsNoLongerGoodIsRenewed() async throws {
        let asked = Asked()
        let script = Self.guarded(asked) { token, request in
            // The first one is good for the manifest only.
            token > 1 || request.path.contains("/manifests/")
        }
        try await ScriptedRegistry.with(script: script) { registry in
            let host = try Host()
            #expect(try await host.pull(registry.name, Self.ana).image.id == registry.image.id)
            #expect((2...3).contains(asked.all.count))
        }
    }

    @Test func aTokenThatIsNeverGoodEnds() async throws {
        let asked = Asked()
        try await ScriptedRegistry.with(script: Self.guarded(asked) { _, _ in false }) { registry in
            let host = try Host()
            await expectError("registry.denied", "does not accept the user name or the password") {
                _ = try await host.pull(registry.name, Self.ana)
            }
            await expectError("registry.denied", "wants to know who asks") { _ = try await host.pull(registry.name) }
            #expect(asked.all.count == 4)
            try host.expectNoTrace()
        }
    }

    @Test func loginServersThatGiveNoToken() async throws {
        for (response, code, words) in [
            (HTTPResponse.text(.ok, "{}"), "registry.protocol", "its login server gives no token"),
            (.text(.ok, #"{"token":""}"#), "registry.protocol", "its login server gives no token"),
            (.text(.ok, "<html>"), "registry.protocol", "its login server gives no token"),
            (.text(.unauthorized, #"{"errors":[{"code":"X","message":"who?"}]}"#), "registry.denied", "does not accept"),
            (.text(.forbidden, ""), "registry.denied", "does not allow this"),
        ] {
            try await ScriptedRegistry.with(script: { registry, request, before in
                if request.path == "/token" { return response }
                return await Self.guarded(Asked())(registry, request, before)
            }) { registry in
                await expectError(code, words) { _ = try await Host().pull(registry.name, Self.ana) }
            }
        }
    }

    @Test func aLoginServerThatIsBusyIsAskedAgain() async throws {
        let asked = Asked()
        try await ScriptedRegistry.with(script: { registry, request, before in
            if request.path == "/token", before < 2 {
                return HTTPResponse(.serviceUnavailable, headers: ["Retry-After": "0"])
            }
            return await Self.guarded(asked)(registry, request, before)
        }) { registry in
            let host = try Host()
            #expect(try await host.pull(registry.name, Self.ana).image.id == registry.image.id)
            #expect(asked.all.count == 1)
        }
    }

    /// How a registry asks, and what it is told then.
    @Test(arguments: [
        (#"Basic realm="x""#, "Basic YW5hOnNlY3JldA=="), ("basic", "Basic YW5hOnNlY3JldA=="),
        (#"BASIC realm="x", charset="UTF-8""#, "Basic YW5hOnNlY3JldA=="),
        (#"Negotiate, Basic realm="x""#, "Basic YW5hOnNlY3JldA=="),
        (#"Negotiate abc==, Basic realm="with, comma""#, "Basic YW5hOnNlY3JldA=="),
        (#"Bearer realm="REALM""#, "Bearer t1"), (#"bearer Realm=REALM"#, "Bearer t1"),
        (#"Bearer realm = "REALM" , service = x"#, "Bearer t1"),
        (#"Bearer service="a \"quoted\" \\ one",realm="REALM""#, "Bearer t1"),
        (#"Digest nonce="1", Bearer realm="REALM""#, "Bearer t1"),
        (#"Bearer realm="REALM"#, "Bearer t1"), (#",, Bearer realm="REALM",,"#, "Bearer t1"),
    ])
    func challenges(challenge: String, authorization: String) async throws {
        let asked = Asked()
        try await ScriptedRegistry.with(script: { registry, request, _ in
            if request.path == "/token" { return .text(.ok, #"{"token":"t\#(asked.add(request))"}"#) }
            if request.headers["Authorization"] == authorization { return nil }
            let realm = challenge.replacing("REALM", with: "http://\(registry.host)/token")
            return HTTPResponse(.unauthorized, headers: ["WWW-Authenticate": realm])
        }) { registry in
            let host = try Host()
            #expect(try await host.pull(registry.name, Self.ana).image.id == registry.image.id)
            #expect(registry.requests.filter { $0.path != "/token" }.allSatisfy { $0.headers["Authorization"] == authorization })
            if challenge.contains("quoted") { #expect(asked.all.first?.query["service"] == #"a "quoted" \ one"#) }
        }
    }

    @Test(arguments: [#"Bearer realm="/token""#, "Bearer", #"Bearer realm="file:///etc/passwd""#, #"Bearer realm="""#])
    func aChallengeWithoutAPlaceIsNone(challenge: String) async throws {
        try await ScriptedRegistry.with(script: { _, _, _ in
            HTTPResponse(.unauthorized, headers: ["WWW-Authenticate": challenge])
        }) { registry in
            await expectError("registry.protocol", "it names no place to log in") {
                _ = try await Host().pull(registry.name, Self.ana)
            }
        }
    }
}

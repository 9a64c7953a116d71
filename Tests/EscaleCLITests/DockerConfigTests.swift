import EscaleAPI
import EscaleCLI
import EscaleCore
import EscaleHTTP
import EscaleSystem
import FoundationEssentials
import Testing

/// Who the user is at registries: what `login` leaves, what `pull` and `push` send.
@Suite struct DockerConfigTests {
    /// A daemon that pulls and logs in, and a home of the user's own.
    private struct Home {
        let daemon: FakeDaemon
        let directory: String
        var environment: [String: String] {
            ["ESCALE_ROOT": directory, "HOME": "\(directory)/home", "PATH": "\(directory)/bin:/usr/bin:/bin"]
        }
        var file: String { "\(directory)/home/.docker/config.json" }

        func run(_ words: String..., environment more: [String: String] = [:]) async -> Outcome {
            await Terminal().run(words, in: directory, environment: environment.merging(more) { $1 })
        }

        /// Writes Docker's file.
        func write(_ text: String) throws {
            try Files.createDirectories("\(directory)/home/.docker")
            try Files.write(file, Array(text.utf8))
        }

        /// Who the user is said to be when the images are pulled.
        func credentials(_ images: String...) async throws -> [String: RegistryCredential] {
            let outcome = await Terminal().run(["image", "pull", "-q"] + images, environment: environment)
            #expect(outcome.code == 0, "\(outcome.error)")
            let body = try #require(daemon.bodies(of: "/v1/images/pull").last)
            return try JSONDecoder().decode(PullRequest.self, from: Data(body)).credentials
        }

        /// A credential helper that keeps what it is given in files.
        func helper(_ name: String) throws {
            try Files.createDirectories("\(directory)/bin")
            let script = """
                #!/bin/sh
                file="\(directory)/kept-\(name)"
                echo "$1" >> "\(directory)/verbs-\(name)"
                case $1 in
                store) cat > "$file" ;;
                erase) rm -f "$file" ;;
                get) read server
                    [ -f "$file" ] || { echo "credentials not found in native keychain"; exit 1; }
                    grep -q "\\"$server\\"" "$file" || { echo "the chain is locked"; exit 2; }
                    cat "$file" ;;
                esac
                """
            try Files.write("\(directory)/bin/docker-credential-\(name)", Array(script.utf8), mode: 0o755)
        }
    }

    private static func with(_ body: (Home) async throws -> Void) async throws {
        try await FakeDaemon.serving([
            "POST /v1/registries/login": { _ in .value([String: String]()) },
            "POST /v1/images/pull": { _ in .lines([StreamLine<[TransferredImage]>.result([])]) },
        ]) { daemon in try await body(Home(daemon: daemon, directory: daemon.root.directory ?? "")) }
    }

    private static let ana = RegistryCredential(username: "ana", password: "se:cret")
    /// `ana:se:cret`
    private static let encoded = "YW5hOnNlOmNyZXQ="

    // MARK: Reading

    @Test func whatTheFileSaysOfARegistryIsSentForIt() async throws {
        try await Self.with { home in
            #expect(try await home.credentials("a.example/web") == [:])
            try home.write(
                """
                {"auths": {"a.example": {"auth": "\(Self.encoded)"}, "b.example:5000": {"auth": "\(Self.encoded)"},
                  "https://index.docker.io/v1/": {"auth": "\(Self.encoded)"},
                  "token.example": {"auth": "\(Self.encoded)", "identitytoken": "t"},
                  "only-token.example": {"identitytoken": "t"}, "plain.example": {"username": "ana", "password": "se:cret"},
                  "empty.example": {}, "broken.example": {"auth": "!!!"}, "nobody.example": {"auth": "OnNlY3JldA=="}}}
                """)
            #expect(try await home.credentials("a.example/web", "c.example/web") == ["a.example": Self.ana])
            #expect(try await home.credentials("b.example:5000/x/y:1") == ["b.example:5000": Self.ana])
            for name in ["nginx", "docker.io/shop/web", "index.docker.io/shop/web:1"] {
                #expect(try await home.credentials(name) == ["docker.io": Self.ana], "\(name)")
            }
            var withToken = Self.ana
            withToken.identityToken = "t"
            #expect(try await home.credentials("token.example/x") == ["token.example": withToken])
            #expect(
                try await home.credentials("only-token.example/x")
                    == ["only-token.example": .init(username: "", password: "", identityToken: "t")])
            #expect(try await home.credentials("plain.example/x") == ["plain.example": Self.ana])
            #expect(try await home.credentials("empty.example/x", "broken.example/x", "nobody.example/x") == [:])
        }
    }

    @Test(arguments: ["", "nonsense", "[]", "\"text\""])
    func aFileThatIsNoneIsTold(text: String) async throws {
        try await Self.with { home in
            try home.write(text)
            let outcome = await home.run("image", "pull", "web")
            #expect(outcome.code != 0)
            #expect(outcome.error.contains("\(home.file) is not a JSON object"))
            #expect(try Files.readText(home.file) == text)
        }
    }

    // MARK: Writing

    @Test func aLoginIsKeptBesideWhatIsThere() async throws {
        try await Self.with { home in
            try home.write(#"{"auths": {"other.example": {"auth": "eDp5"}}, "HttpHeaders": {"A": "b"}, "number": 12, "n": null}"#)
            let outcome = await home.run("login", "-u", "ana", "-p", "se:cret", "https://a.example/v1/")
            #expect(outcome.code == 0, "\(outcome.error)")
            #expect(outcome.output == "Login Succeeded\n")
            #expect(outcome.error.contains("use --password-stdin"))
            let asked = try #require(home.daemon.bodies(of: "/v1/registries/login").last)
            let request = try JSONDecoder().decode(LoginRequest.self, from: Data(asked))
            #expect(request.host == "a.example")
            #expect(request.credential == Self.ana)
            let text = try Files.readText(home.file)
            for part in [#""HttpHeaders""#, #""A""#, "12", "null", "eDp5", Self.encoded] {
                #expect(text.contains(part), "\(part)")
            }
            #expect(try await home.credentials("a.example/web", "other.example/x").count == 2)
            #expect(await home.run("logout", "a.example").output == "Removed the login for a.example\n")
            #expect(await home.run("logout", "a.example").output == "Not logged in to a.example\n")
            let after = try Files.readText(home.file)
            #expect(!after.contains("a.example"))
            for part in [#""HttpHeaders""#, "eDp5", "12"] { #expect(after.contains(part), "\(part)") }
        }
    }

    @Test func dockersOwnRegistryKeepsItsOldName() async throws {
        try await Self.with { home in
            #expect(await home.run("login", "-u", "ana", "-p", "se:cret").code == 0)
            let text = try Files.readText(home.file)
            #expect(text.contains(#""https://index.docker.io/v1/""#))
            #expect(try await home.credentials("nginx") == ["docker.io": Self.ana])
            #expect(await home.run("logout").output == "Removed the login for docker.io\n")
            #expect(try await home.credentials("nginx") == [:])
        }
    }

    @Test func onlyTheUserReadsTheFile() async throws {
        try await Self.with { home in
            #expect(await home.run("login", "-u", "ana", "-p", "x", "a.example").code == 0)
            let result = try await Command("/usr/bin/stat", ["-c", "%a", home.file, "\(home.directory)/home/.docker"])
                .run(timeout: .seconds(30))
            #expect(result.text == "600\n700\n")
        }
    }

    @Test func theFileCanBeInAnotherDirectory() async throws {
        try await Self.with { home in
            let place = ["DOCKER_CONFIG": "\(home.directory)/elsewhere/docker"]
            #expect(await home.run("login", "-u", "ana", "-p", "x", "a.example", environment: place).code == 0)
            #expect(Files.exists("\(home.directory)/elsewhere/docker/config.json"))
            #expect(!Files.exists(home.file))
        }
    }

    @Test func aLoginThatTheRegistryRefusesIsNotKept() async throws {
        try await FakeDaemon.serving([
            "POST /v1/registries/login": { _ in
                .failure(EscaleError(.init("registry.denied"), "a.example does not accept the user name or the password"))
            }
        ]) { daemon in
            let home = Home(daemon: daemon, directory: daemon.root.directory ?? "")
            let outcome = await home.run("login", "-u", "ana", "-p", "x", "a.example")
            #expect(outcome.code != 0)
            #expect(outcome.error.contains("does not accept"))
            #expect(!Files.exists(home.file))
        }
    }

    // MARK: Helpers

    @Test func aHelperKeepsWhatTheFileDoesNot() async throws {
        try await Self.with { home in
            try home.helper("box")
            try home.write(#"{"credsStore": "box", "auths": {"file.example": {"auth": "\#(Self.encoded)"}}}"#)
            #expect(try await home.credentials("a.example/web") == [:])
            #expect(await home.run("login", "-u", "ana", "-p", "se:cret", "a.example").code == 0)
            #expect(!(try Files.readText(home.file)).contains("a.example"))
            #expect(try await home.credentials("a.example/web") == ["a.example": Self.ana])
            #expect(await home.run("logout", "a.example").output == "Removed the login for a.example\n")
            #expect(try await home.credentials("a.example/web") == [:])
            // What the helper doesn't know may be in the file from before.
            #expect(try await home.credentials("file.example/web") == ["file.example": Self.ana])
        }
    }

    @Test func oneRegistryCanHaveAHelperOfItsOwn() async throws {
        try await Self.with { home in
            for name in ["box", "own"] { try home.helper(name) }
            try home.write(#"{"credsStore": "box", "credHelpers": {"a.example": "own"}}"#)
            #expect(await home.run("login", "-u", "ana", "-p", "x", "a.example").code == 0)
            #expect(await home.run("login", "-u", "bob", "-p", "x").code == 0)
            #expect(try Files.readText("\(home.directory)/kept-own").contains("a.example"))
            #expect(try Files.readText("\(home.directory)/kept-box").contains("https://index.docker.io/v1/"))
            #expect(try await home.credentials("a.example/x", "nginx").mapValues(\.username) == ["a.example": "ana", "docker.io": "bob"])
        }
    }

    @Test func aHelperCanGiveATokenInsteadOfAPassword() async throws {
        try await Self.with { home in
            try home.helper("box")
            try home.write(#"{"credsStore": "box"}"#)
            try Files.write(
                "\(home.directory)/kept-box",
                Array(#"{"ServerURL":"a.example","Username":"<token>","Secret":"t"}"#.utf8))
            #expect(
                try await home.credentials("a.example/x")
                    == ["a.example": .init(username: "", password: "", identityToken: "t")])
        }
    }

    @Test func aHelperThatFailsIsTold() async throws {
        try await Self.with { home in
            try home.write(#"{"credsStore": "missing"}"#)
            var outcome = await home.run("image", "pull", "web")
            #expect(outcome.error.contains("docker-credential-missing"))
            #expect(outcome.error.contains("is not on the PATH"))
            try home.write(#"{"credsStore": "../bin/sh"}"#)
            outcome = await home.run("image", "pull", "web")
            #expect(outcome.error.contains("is not on the PATH"))
            try home.helper("box")
            try home.write(#"{"credsStore": "box"}"#)
            try Files.write("\(home.directory)/kept-box", Array(#"{"ServerURL":"other"}"#.utf8))
            outcome = await home.run("image", "pull", "a.example/web")
            #expect(outcome.code != 0)
            #expect(outcome.error.contains("docker-credential-box can't say who you are at a.example"))
            #expect(outcome.error.contains("the chain is locked"))
        }
    }
}

/// Which images `pull` and `push` are about.
@Suite struct TransferTargetTests {
    private static let file = """
        name: shop
        services:
          web:
            build: .
            image: registry.example/shop/web:1
            depends_on: [db]
          worker:
            build: .
            depends_on: [web]
          db:
            image: postgres:17
          cache:
            image: postgres:17
        """

    /// What the daemon was asked for, each request's images.
    private func asked(_ words: [String], file: String? = file) async throws -> ([[String]], Outcome) {
        try await FakeDaemon.serving([
            "POST /v1/images/pull": { _ in .lines([StreamLine<[TransferredImage]>.result([])]) },
            "POST /v1/images/push": { _ in .lines([StreamLine<[TransferredImage]>.result([])]) },
        ]) { daemon in
            let directory = daemon.root.directory ?? ""
            if let file { try Files.write("\(directory)/compose.yaml", Array(file.utf8)) }
            let outcome = await Terminal().run(
                words, in: directory, environment: ["ESCALE_ROOT": directory, "HOME": "\(directory)/home"])
            struct Request: Decodable { let images: [String] }
            let bodies = daemon.bodies(of: "/v1/images/pull") + daemon.bodies(of: "/v1/images/push")
            return (try bodies.map { try JSONDecoder().decode(Request.self, from: Data($0)).images }, outcome)
        }
    }

    @Test(arguments: [
        (["pull"], [["postgres:17"], ["registry.example/shop/web:1"], ["shop-worker"]]),
        (["pull", "--ignore-buildable"], [["postgres:17"]]), (["pull", "db"], [["postgres:17"]]),
        (["pull", "db", "cache"], [["postgres:17"]]), (["pull", "web"], [["registry.example/shop/web:1"]]),
        (["pull", "web", "--include-deps"], [["postgres:17"], ["registry.example/shop/web:1"]]),
        (["pull", "nginx:1.27"], [["nginx:1.27"]]), (["pull", "db", "nginx"], [["nginx"], ["postgres:17"]]),
        (["image", "pull", "db", "nginx"], [["db", "nginx"]]),
        (["push"], [["registry.example/shop/web:1", "shop-worker"]]), (["push", "db"], [["postgres:17"]]),
        (["push", "web", "other:1"], [["registry.example/shop/web:1", "other:1"]]), (["image", "push", "web"], [["web"]]),
    ])
    func theImagesThatAreMeant(words: [String], images: [[String]]) async throws {
        let (asked, outcome) = try await asked(words)
        #expect(outcome.code == 0, "\(outcome.error)")
        #expect(asked.sorted { $0.lexicographicallyPrecedes($1) } == images)
    }

    @Test func withoutAProjectNamesAreImages() async throws {
        #expect(try await asked(["pull", "web", "db"], file: nil).0.sorted { $0[0] < $1[0] } == [["db"], ["web"]])
        #expect(try await asked(["push", "web"], file: nil).0 == [["web"]])
        #expect(try await asked(["pull"], file: nil).1.code != 0)
    }

    @Test func whereNothingIsBuiltNothingIsPushed() async throws {
        let (asked, outcome) = try await asked(["push"], file: "name: shop\nservices:\n  db:\n    image: postgres\n")
        #expect(asked.isEmpty)
        #expect(outcome.code == 0)
        #expect(outcome.error.contains("nothing to push"))
    }

    @Test func oneImageThatFailsCanBePassedOver() async throws {
        try await FakeDaemon.serving([
            "POST /v1/images/pull": { _ in .failure(EscaleError(.init("registry.not-found"), "there is no such image")) }
        ]) { daemon in
            let directory = daemon.root.directory ?? ""
            let environment = ["ESCALE_ROOT": directory, "HOME": "\(directory)/home"]
            var outcome = await Terminal().run(["pull", "web", "db"], in: directory, environment: environment)
            #expect(outcome.code != 0)
            #expect(outcome.error.contains("there is no such image"))
            outcome = await Terminal().run(
                ["pull", "--ignore-pull-failures", "web", "db"], in: directory, environment: environment)
            #expect(outcome.code == 0)
            #expect(outcome.error.contains("there is no such image"))
        }
    }
}

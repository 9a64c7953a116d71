import EscaleAPI
import EscaleCLI
import EscaleCore
import EscaleHTTP
import EscaleSystem
import FoundationEssentials
import Testing

/// The options of `escale config`.
@Suite("escale config's options")
struct ConfigOptionTests {
    private static let file = """
        name: shop
        services:
          web.front:
            image: nginx:${TAG:-1.27}
            ports: ["8080:80", "8443:443"]
            environment:
              - DB_HOST=db
              - PRICE=5$$
          api:
            build: ./api
            image: api
            cpu_count: 2

        """

    private func inProject(_ text: String = file, _ body: (String) async throws -> Void) async throws {
        try await Scratch.with { directory in
            try Files.write("\(directory)/compose.yaml", Array(text.utf8))
            try await body(directory)
        }
    }

    // MARK: Diagnostics

    private struct Record: Decodable, Equatable {
        var severity: String
        var code: String
        var message: String
        var file: String?
        var line: Int?
        var column: Int?
        var hint: String?
    }

    private func records(_ text: String) throws -> [Record] {
        try JSONDecoder().decode([Record].self, from: Data(text.utf8))
    }

    @Test("For editors, problems are JSON and nothing else")
    func problemsAsJSON() async throws {
        try await inProject("services:\n  web:\n    imag: nginx\n") { directory in
            let outcome = await escale("config", "-q", "--format", "json", in: directory)
            #expect(outcome.code == 1)
            #expect(outcome.error.isEmpty)
            let first = try #require(try records(outcome.output).first { $0.code == "compose.attribute.unknown" })
            #expect(first.severity == "error")
            #expect((first.file, first.line, first.column) == ("compose.yaml", 3, 5))
            #expect(first.hint == "did you mean \"image\"?")
            let loud = await escale("config", "--format", "json", in: directory)
            #expect(loud.output.isEmpty)
            let same = try records(loud.error) == records(outcome.output)
            #expect(same)
        }
        try await inProject("services: {web: {image: nginx}}\n") { directory in
            let nothing = await escale("config", "-q", "--format", "json", in: directory)
            let isEmpty = try records(nothing.output).isEmpty
            #expect(isEmpty)
            #expect(await escale("config", "--format", "json", in: directory).error.isEmpty)
        }
    }

    @Test("--strict takes a warning for an error")
    func strict() async throws {
        try await inProject { directory in
            let lenient = await escale("config", "-q", in: directory)
            #expect(lenient.code == 0)
            #expect(lenient.error.contains("warning[compose.attribute.ignored]: services.api.cpu_count"))
            let strict = await escale("config", "-q", "--strict", in: directory)
            #expect(strict.code == 1)
            #expect(strict.error.contains("error[compose.attribute.ignored]: services.api.cpu_count"))
        }
    }

    // MARK: Where values come from

    @Test(
        "--explain tells where a value stands",
        arguments: [
            ("services.web.front.image", "services.web.front.image: nginx:1.27\n", "compose.yaml:4:12"),
            ("services.web.front.environment.DB_HOST", "services.web.front.environment.DB_HOST: db\n", "compose.yaml:7:9"),
            ("services.web.front.ports", "services.web.front.ports:\n  - \"8080:80\"\n  - \"8443:443\"\n", "compose.yaml:5:24   [1]"),
            ("services.web.front.ports[0].published", "services.web.front.ports[0].published: 8080\n", "compose.yaml:5:13"),
            ("services.api.networks", "services.api.networks:\n  default: null\n", "the default"),
        ]
    )
    func explains(key: String, value: String, place: String) async throws {
        try await inProject { directory in
            let outcome = await escale("config", "--explain", key, in: directory)
            #expect(outcome.code == 0)
            #expect(outcome.output.hasPrefix(value), "\(outcome.output)")
            #expect(outcome.output.contains(place), "\(outcome.output)")
        }
    }

    @Test("--explain of what is not there names what is near")
    func explainsNothing() async throws {
        try await inProject { directory in
            let outcome = await escale("config", "--explain", "services.api.imag", in: directory)
            #expect(outcome.code == 1)
            #expect(outcome.error.contains("nothing in the project is called services.api.imag"))
            #expect(outcome.error.contains("hint: there are services.api.image\n"))
        }
    }

    // MARK: Forms

    @Test("--no-interpolate leaves variables, --no-normalize the written form")
    func rawForms() async throws {
        try await inProject { directory in
            let raw = await escale("config", "--no-interpolate", in: directory).output
            #expect(raw.contains("image: nginx:${TAG:-1.27}\n"))
            #expect(raw.contains("- PRICE=5$$\n"))
            let merged = await escale("config", "--no-normalize", in: directory).output
            #expect(merged.contains("image: nginx:1.27\n"))
            #expect(merged.contains("- PRICE=5$$\n"))
            #expect(merged.contains("- \"8080:80\"\n"))
            #expect(!merged.contains("default"))
        }
    }

    @Test("-o writes to a file")
    func output() async throws {
        try await inProject { directory in
            let outcome = await escale("config", "-o", "full.yaml", in: directory)
            #expect(outcome.code == 0)
            #expect(outcome.output.isEmpty)
            let written = try Files.readText("\(directory)/full.yaml")
            #expect(await escale("config", in: directory).output == written)
        }
    }

    @Test("A service's hash follows its container's settings and nothing else")
    func hashes() async throws {
        func hash(_ text: String) async throws -> String {
            var hash = ""
            try await inProject(text) { hash = await escale("config", "--hash", "api", in: $0).output }
            return hash
        }
        let before = try await hash(Self.file)
        #expect(before.split(separator: " ").first == "api")
        #expect(before.count == "api \n".count + 64)
        #expect(try await hash(Self.file.replacing("./api", with: "./other")) == before)
        #expect(try await hash(Self.file.replacing("image: api", with: "image: api:2")) != before)
        try await inProject { directory in
            #expect(await escale("config", "--hash", "*", in: directory).output.split(separator: "\n").count == 2)
            #expect(await escale("config", "--hash", "nobody", in: directory).error.contains("there is no service \"nobody\""))
        }
    }

    // MARK: Digests

    @Test("Images are pinned to what the daemon has, and what it has not is said")
    func digests() async throws {
        try await Scratch.with { directory in
            try Files.write("\(directory)/compose.yaml", Array("services: {web: {image: \"nginx:1.27\"}, b: {build: .}}\n".utf8))
            let digest = "sha256:" + String(repeating: "a", count: 64)
            let routes: [String: FakeDaemon.Route] = [
                "GET /v1/images/inspect": { request in
                    request.query["name"] == "nginx:1.27"
                        ? .value(["RepoDigests": ["nginx@\(digest)"]])
                        : .failure(EscaleError(.init("image.not-found"), "no"))
                }
            ]
            try await FakeDaemon.serving(routes, at: EscaleRoot(directory: "\(directory)/root")) { daemon in
                func config(_ words: String...) async -> Outcome {
                    await Terminal().run(["--root", daemon.root.directory ?? "", "config"] + words, in: directory)
                }
                let pinned = await config("--resolve-image-digests")
                #expect(pinned.output.contains("image: nginx:1.27@\(digest)\n"), "\(pinned.error)")
                let locked = await config("--lock-image-digests")
                #expect(locked.output == "services:\n  web:\n    image: nginx:1.27@\(digest)\n")
                try Files.write("\(directory)/compose.yaml", Array("services: {web: {image: other}}\n".utf8))
                let missing = await config("--lock-image-digests")
                #expect(missing.code == 1)
                #expect(missing.error.contains("the digest of other is not known: the image is not on this host"))
            }
        }
    }
}

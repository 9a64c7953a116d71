import EscaleCLI
import EscaleCore
import EscaleDockerfile
import EscaleSystem
import EscaleTestExpectations
import Testing

/// `escale init` on Tests/Starters: one directory for each kind of application.
@Suite("escale init")
struct InitTests {
    static let kinds = ["laravel", "php", "django", "flask", "python", "node", "static"]
    private static let fixtures = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/Starters"

    /// A copy of a fixture, in a directory called `my-shop`.
    private func inCopy(of kind: String, _ body: (String) async throws -> Void) async throws {
        try await Scratch.with { scratch in
            try copy("\(Self.fixtures)/\(kind)", to: "\(scratch)/my-shop")
            try await body("\(scratch)/my-shop")
        }
    }

    private func copy(_ source: String, to target: String) throws {
        try Files.createDirectories(target)
        for name in try Files.list(source) {
            if Files.isDirectory("\(source)/\(name)") {
                try copy("\(source)/\(name)", to: "\(target)/\(name)")
            } else {
                try Files.write("\(target)/\(name)", try Files.read("\(source)/\(name)"))
            }
        }
    }

    @Test("Each kind is recognised, and its files are as they were read by a person", arguments: kinds)
    func files(kind: String) async throws {
        try await inCopy(of: kind) { directory in
            let shown = await escale("init", "--dry-run", in: directory)
            #expect(shown.code == 0, "\(shown.error)")
            try expectGolden(shown.error + shown.output, "Tests/Golden/init/\(kind).txt")
            #expect(!Files.exists("\(directory)/compose.yaml"))
        }
    }

    @Test("What it writes passes `escale config --strict`, and its Dockerfile has no problem", arguments: kinds, StarterBase.allCases)
    func passes(kind: String, base: StarterBase) async throws {
        try await inCopy(of: kind) { directory in
            let written = await escale("init", "--base", base.rawValue, in: directory)
            #expect(written.code == 0, "\(written.error)")
            #expect(written.output.contains("wrote compose.yaml"))
            let config = await escale("config", "--strict", "-q", in: directory)
            #expect(config.code == 0, "\(config.error)")
            #expect(config.error.isEmpty)
            let (dockerfile, diagnostics) = parseDockerfile(
                try Files.readText("\(directory)/Dockerfile"), file: "Dockerfile"
            )
            #expect(diagnostics.isEmpty, "\(diagnostics.map { $0.rendered() })")
            #expect(dockerfile.stages.count == 1)
            let ignore = Dockerignore(try Files.readText("\(directory)/.dockerignore"))
            for secret in [".env", ".env.production", ".git/config"] { #expect(ignore.ignores(secret)) }
        }
    }

    @Test("Where a file is there already, nothing is written", arguments: ["compose.yml", "Dockerfile", ".dockerignore"])
    func neverOverwrites(name: String) async throws {
        try await inCopy(of: "flask") { directory in
            try Files.write("\(directory)/\(name)", Array("mine\n".utf8))
            let before = try Files.list(directory)
            let outcome = await escale("init", in: directory)
            #expect(outcome.code == 1)
            #expect(outcome.error.contains("\(name) is in \(directory) already; nothing was written"))
            #expect(try Files.list(directory) == before)
            #expect(try Files.readText("\(directory)/\(name)") == "mine\n")
        }
    }

    @Test("What it doesn't know it says, and --kind helps")
    func unknown() async throws {
        try await Scratch.with { directory in
            let outcome = await escale("init", in: directory)
            #expect(outcome.code == 1)
            #expect(outcome.error.contains("no application was recognised"))
            #expect(await escale("init", "--kind", "node", "--dry-run", in: directory).code == 0)
        }
    }
}

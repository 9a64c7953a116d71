import EscaleCLI
import EscaleSystem
import Testing

@Suite("escale config")
struct ConfigTests {
    static let file = """
        name: shop
        services:
          web:
            image: nginx:1.27
            ports: ["8080:80"]
            depends_on: [api]
          api:
            build: ./api
            volumes: ["data:/data"]
        volumes:
          data:

        """

    private func inProject(_ text: String = file, _ body: (String) async throws -> Void) async throws {
        try await Scratch.with { directory in
            try Files.write("\(directory)/compose.yaml", Array(text.utf8))
            try Files.createDirectories("\(directory)/api")
            try await body(directory)
        }
    }

    @Test("Lists what the file names, one a line")
    func lists() async throws {
        try await inProject { directory in
            let services = await escale("config", "--services", in: directory)
            #expect(services.code == 0)
            #expect(services.output.split(separator: "\n").sorted() == ["api", "web"])
            #expect(
                await escale("config", "--images", in: directory).output.split(separator: "\n").sorted() == [
                    "nginx:1.27", "shop-api",
                ]
            )
            #expect(await escale("config", "--volumes", in: directory).output == "data\n")
            #expect(await escale("config", "-q", in: directory).output.isEmpty)
        }
    }

    @Test("What it prints reads as the same project again")
    func canonical() async throws {
        try await inProject { directory in
            let first = await escale("config", in: directory)
            #expect(first.code == 0)
            try Files.write("\(directory)/again.yaml", Array(first.output.utf8))
            let second = await escale("-f", "again.yaml", "config", in: directory)
            #expect(second.output == first.output)
            #expect(await escale("config", "--format", "json", in: directory).output.hasPrefix("{"))
        }
    }

    @Test("Several files, profiles and environment files")
    func globals() async throws {
        let text =
            "services: {web: {image: \"x:${V}\"}, tool: {image: t, profiles: [a]}, other: {image: o, profiles: [b]}}\n"
        try await inProject(text) { directory in
            try Files.write("\(directory)/more.yaml", Array("services: {web: {user: \"1\"}}\n".utf8))
            try Files.write("\(directory)/one.env", Array("V=1\n".utf8))
            try Files.write("\(directory)/two.env", Array("V=2\n".utf8))
            let merged = await escale(
                "-f",
                "compose.yaml",
                "-f",
                "more.yaml",
                "--env-file",
                "one.env",
                "--env-file",
                "two.env",
                "--project-directory",
                "elsewhere",
                "config",
                in: directory
            )
            #expect(merged.output.hasPrefix("name: elsewhere\n"))
            #expect(merged.output.contains("image: x:2\n") && merged.output.contains("user: \"1\"\n"))
            let all = "other\ntool\nweb\n"
            let one = await escale("--env-file", "one.env", "config", "--services", in: directory)
            #expect(one.output == "web\n")
            let some = await escale(
                "--env-file",
                "one.env",
                "--profile",
                "a",
                "--profile",
                "b",
                "config",
                "--services",
                in: directory
            )
            #expect(some.output == all)
            let every = await escale(
                "--env-file",
                "one.env",
                "--profile",
                "*",
                "config",
                "--services",
                in: directory
            )
            #expect(every.output == all)
        }
    }

    @Test("Problems come all at once, with the place in the file, and end with 1")
    func problems() async throws {
        let text =
            "services:\n  web:\n    image: nginx\n    ports: [\"99999:80\"]\n    depends_on: [nobody]\n"
        try await inProject(text) { directory in
            let outcome = await escale("config", in: directory)
            #expect(outcome.code == 1)
            #expect(outcome.output.isEmpty)
            #expect(outcome.error.contains("compose.yaml:4:"))
            #expect(outcome.error.contains(" 4 |     ports: [\"99999:80\"]\n"))
            #expect(outcome.error.contains("^"))
            #expect(outcome.error.contains("nobody"))
            #expect(
                outcome.error.hasSuffix(
                    "error: the project can't be used: there are 2 problems in its files\n"
                )
            )
        }
    }
}

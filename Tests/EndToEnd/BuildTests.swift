import EscaleAPI
import EscaleCore
import EscaleSystem
import Testing

/// Builds that fail say where and why; those that succeed run.
@Suite struct BuildTests {
    @Test("a failing RUN shows the end of its output, the Dockerfile's line and the exit code")
    func failingRun() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project("app", "services: {web: {build: .}}")
            try project.write(
                "Dockerfile",
                """
                FROM busybox:latest
                RUN echo fine
                RUN echo 'collecting packages' && echo 'no matching distribution for flask==99' >&2 && exit 23
                CMD ["sleep", "600"]
                """
            )
            for words in [["build"], ["up", "-d"]] {
                let result = try await escale.escale(words, in: project.directory).failed()
                for text in ["Dockerfile:3", "23", "no matching distribution for flask==99", "web"] {
                    #expect(result.text.contains(text), "\"\(text)\" is missing:\n\(result)")
                }
            }
            #expect(try await project.containers().isEmpty)
        }
    }

    @Test("a Dockerfile with a mistake: its place, and a hint")
    func invalidDockerfile() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project("app", "services: {web: {build: .}}")
            try project.write("Dockerfile", "FROM busybox:latest\nRUNN echo typo")
            let result = try await project.escale("build").failed()
            for text in ["Dockerfile:2", "RUNN", "RUN"] {
                #expect(result.text.contains(text), "\"\(text)\" is missing:\n\(result)")
            }
        }
    }

    @Test("a file to copy that isn't there, and a Dockerfile that isn't there")
    func missingFiles() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project("app", "services: {web: {build: .}}")
            let none = try await project.escale("build").failed()
            #expect(none.text.contains("Dockerfile"), "\(none)")
            try project.write("Dockerfile", "FROM busybox:latest\nCOPY requirements.txt /")
            let copy = try await project.escale("build").failed()
            for text in ["Dockerfile:2", "requirements.txt"] {
                #expect(copy.text.contains(text), "\"\(text)\" is missing:\n\(copy)")
            }
        }
    }

    @Test(
        "up builds what is missing; up --build after a change recreates the service, without one it doesn't"
    )
    func buildAndRun() async throws {
        try await EscaleFixture.with { escale in
            let project = try escale.project(
                "app",
                "services: {web: {build: ., stop_signal: SIGKILL}}"
            )
            try project.write(
                "Dockerfile",
                "FROM busybox:latest\nCOPY page /page\nRUN cat /page > /copy\nCMD [\"sleep\", \"600\"]"
            )
            try project.write("page", "one")
            try await project.up()
            #expect(try await project.shell("web", "cat /copy") == "one")
            let first = try await project.container("web")
            try await project.up("--build")
            #expect(Identity(try await project.container("web")) == Identity(first), "nothing changed")
            try project.write("page", "two")
            try await project.up()
            #expect(Identity(try await project.container("web")) == Identity(first), "built only if asked")
            try await project.up("--build")
            #expect(try await project.shell("web", "cat /copy") == "two")
            #expect(try await project.container("web").id != first.id)
        }
    }
}

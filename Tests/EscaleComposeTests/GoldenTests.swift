import EscaleCompose
import EscaleCore
import EscaleYAML
import Glibc
import Testing

@Suite struct GoldenTests {
    @Test(arguments: GoldenCase.all())
    func loadGivesWhatTheFileSays(golden: GoldenCase) {
        let actual = golden.actual()
        if getenv("UPDATE_GOLDEN") != nil {
            #expect(golden.rewrite(actual))
        } else {
            #expect(actual == golden.expected, "run with UPDATE_GOLDEN=1 to accept, then read the difference")
        }
    }

    /// `escale config` prints a compose file, in YAML and in JSON, that means the same.
    @Test(arguments: GoldenCase.all())
    func theCanonicalFormLoadsToTheSameProject(golden: GoldenCase) throws {
        let loader = golden.loader()
        guard loader.resolvesPaths, let project = loader.load().project, !project.services.isEmpty else {
            return
        }
        for text in [ProjectRenderer.yaml(project), ProjectRenderer.json(project)] {
            let again = golden.again(project, as: text).load()
            #expect(
                again.diagnostics.filter { $0.severity == .error }.isEmpty,
                "\(again.diagnostics.map { $0.rendered() })"
            )
            var loaded = try #require(again.project)
            loaded.files = project.files
            // What is left out is not printed, as in Docker Compose.
            loaded.disabledServices = project.disabledServices
            var sorted = project
            for index in sorted.services.indices {
                sorted.services[index].dependencies.sort { $0.service < $1.service }
            }
            #expect(loaded == sorted)
        }
    }

    /// A place that a message names exists, so that an excerpt can be shown.
    @Test(arguments: GoldenCase.all())
    func everyPositionIsInItsFile(golden: GoldenCase) {
        let result = golden.loader().load()
        for diagnostic in result.diagnostics {
            guard let position = diagnostic.position else { continue }
            let lines = YAMLDocument.lines(of: result.sources[position.file] ?? "")
            #expect(lines.indices.contains(position.line - 1), "\(diagnostic.rendered())")
            if lines.indices.contains(position.line - 1) {
                #expect(
                    position.column <= lines[position.line - 1].unicodeScalars.count + 1,
                    "\(diagnostic.rendered())"
                )
            }
        }
    }
}

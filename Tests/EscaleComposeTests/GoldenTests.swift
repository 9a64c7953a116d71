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
        guard let project = golden.loader().load().project else { return }
        for text in [ProjectRenderer.yaml(project), ProjectRenderer.json(project)] {
            var files = ["\(project.workingDirectory)/compose.yaml": text]
            for secret in project.secrets { files[secret.file] = "x" }
            let again = ComposeLoader(workingDirectory: project.workingDirectory, fileSystem: .memory(files))
                .load()
            #expect(
                again.diagnostics.filter { $0.severity == .error }.isEmpty,
                "\(again.diagnostics.map { $0.rendered() })"
            )
            var loaded = try #require(again.project)
            loaded.files = project.files
            var sorted = project
            for index in sorted.services.indices {
                sorted.services[index].dependencies.sort { $0.service < $1.service }
            }
            #expect(loaded == sorted)
        }
    }

    /// Every attribute that is executed, warned of or refused stands in a golden file.
    @Test func everyAttributeIsCovered() {
        let inputs = GoldenCase.all().map(\.input).joined()
        for attribute in ComposeAttribute.table {
            #expect(inputs.contains("\(attribute.name):"), "no golden file uses \(attribute.path)")
        }
    }

    @Test func theTableNamesEachAttributeOnce() {
        let paths = ComposeAttribute.table.map(\.path)
        #expect(Set(paths).count == paths.count)
    }

    /// A place that a message names exists, so that an excerpt can be shown.
    @Test(arguments: GoldenCase.all())
    func everyPositionIsInItsFile(golden: GoldenCase) {
        let loaded = golden.loader().load()
        let sources = loaded.sources
        for diagnostic in loaded.diagnostics {
            guard let position = diagnostic.position else { continue }
            let lines = YAMLDocument.lines(of: sources[position.file] ?? "")
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

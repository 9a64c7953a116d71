import EscaleCompose
import EscaleCore
import EscaleYAML
import Glibc
import Testing

/// One golden file: the input, a line `----`, and what a load of it gives.
///
/// The input is `compose.yaml` up to the first line `=== NAME`, which begins another file of the project's directory
/// `/srv/shop`. `=== options` is none but a list of `env K=V`, `file F`, `name N`, `directory D`,
/// `project-directory D` and `env-file F`.
struct GoldenCase: Sendable, CustomTestStringConvertible {
    static let root = "/srv/shop"

    let name: String
    let path: String
    let input: String
    let expected: String?

    var testDescription: String { name }

    static var directory: String {
        #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Golden/compose"
    }

    static func all() -> [GoldenCase] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".golden") { names.append(name) }
        }
        return names.sorted().map { GoldenCase(name: String($0.dropLast(7)), path: "\(directory)/\($0)") }
    }

    private init(name: String, path: String) {
        self.name = name
        self.path = path
        var text = ""
        if case .contents(let bytes) = ComposeFileSystem.host.read(path) {
            text = String(decoding: bytes, as: UTF8.self)
        }
        let parts = text.split(separator: "----\n", maxSplits: 1, omittingEmptySubsequences: false)
        input = parts.first.map(String.init) ?? ""
        expected = parts.count == 2 ? String(parts[1]) : nil
    }

    /// The loader that the input describes.
    func loader() -> ComposeLoader {
        var files: [String: String] = [:]
        var options: [Substring] = []
        var current = "compose.yaml"
        var lines: [Substring] = []
        func finish() {
            if current == "options" {
                options += lines
            } else if current != "compose.yaml" || !lines.isEmpty {
                files[Self.root + "/" + current] = lines.map { $0 + "\n" }.joined()
            }
            lines = []
        }
        for line in input.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if line.hasPrefix("=== ") {
                finish()
                current = String(line.dropFirst(4))
                if current != "options" { files[Self.root + "/" + current] = "" }
            } else {
                lines.append(line)
            }
        }
        finish()
        var loader = ComposeLoader(
            workingDirectory: Self.root,
            environment: ["HOME": "/home/ada"],
            fileSystem: .memory(files)
        )
        for option in options {
            let words = option.split(separator: " ", maxSplits: 1).map(String.init)
            guard words.count == 2 else { continue }
            switch words[0] {
            case "env":
                let pair = words[1].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                loader.environment[String(pair[0])] = pair.count == 2 ? String(pair[1]) : nil
            case "file": loader.files.append(words[1])
            case "name": loader.projectName = words[1]
            case "directory": loader.workingDirectory = words[1]
            case "project-directory": loader.projectDirectory = words[1]
            case "env-file": loader.environmentFiles.append(words[1])
            default: break
            }
        }
        return loader
    }

    /// What the golden file should hold below its line: the diagnostics with excerpts, then the project.
    func actual() -> String {
        let loaded = loader().load()
        let sources = loaded.sources
        let rendered = loaded.diagnostics.map { diagnostic in
            diagnostic.rendered(sources: { sources[$0].map { YAMLDocument.lines(of: $0) } }) + "\n"
        }
        let blocks = rendered + [loaded.project.map(ProjectRenderer.yaml)].compactMap(\.self)
        return blocks.joined(separator: "\n")
    }

    func rewrite(_ actual: String) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        defer { fclose(file) }
        return fputs(input + "----\n" + actual, file) >= 0
    }
}

import EscaleCompose
import EscaleCore
import EscaleYAML
import Glibc
import Testing

/// One golden file: the input, a line `----`, and what a load of it gives.
///
/// The input is `compose.yaml` up to the first line `=== NAME`, which begins another file of the project's directory
/// `/srv/shop`; the file `-` is standard input. `=== options` is none but a list of `env K=V`, `file F`, `name N`,
/// `directory D`, `project-directory D`, `env-file F`, `profile P`, `select SERVICE`, `tolerate unsupported`,
/// `leave variables|paths|tree` as written, and `show tree`, which prints the merged tree instead of the project.
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

    /// A case that no file holds.
    init(input: String) {
        name = "made up"
        path = ""
        self.input = input
        expected = nil
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

    /// The texts of the input, by file name; those of the options under `options`.
    var texts: [(name: String, text: String)] {
        var texts: [(name: String, text: String)] = [("compose.yaml", "")]
        for line in input.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if line.hasPrefix("=== ") {
                texts.append((String(line.dropFirst(4)), ""))
            } else {
                texts[texts.count - 1].text += line + "\n"
            }
        }
        // Without a first part there is no compose.yaml, unless that is all there is.
        return texts.count > 1 && texts[0].text.isEmpty ? Array(texts.dropFirst()) : texts
    }

    /// The loader that the input describes.
    func loader() -> ComposeLoader {
        var files: [String: String] = [:]
        for (name, text) in texts where name != "options" {
            if name != "compose.yaml" || !input.isEmpty { files[Self.root + "/" + name] = text }
        }
        let input = files.removeValue(forKey: Self.root + "/-")
        var loader = ComposeLoader(
            workingDirectory: Self.root,
            environment: ["HOME": "/home/ada"],
            fileSystem: .memory(files)
        )
        loader.standardInput = { input.map { .contents(Array($0.utf8)) } ?? .contents([]) }
        for option in texts.filter({ $0.name == "options" }).flatMap({ $0.text.split(separator: "\n") }) {
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
            case "tolerate": loader.toleratesUnsupported = words[1] == "unsupported"
            case "profile": loader.profiles.append(words[1])
            case "select": loader.selectedServices.append(words[1])
            case "leave": leave(words[1], as: &loader)
            default: break
            }
        }
        return loader
    }

    /// A loader of the project's canonical form, where the files and variables are that it names.
    func again(_ project: Project, as text: String) -> ComposeLoader {
        var files = ["\(project.workingDirectory)/compose.yaml": text]
        let shared = project.secrets + (project.configs ?? [])
        for file in shared.compactMap(\.file) { files[file] = "x" }
        var loader = ComposeLoader(workingDirectory: project.workingDirectory, fileSystem: .memory(files))
        for file in shared { if let name = file.environment { loader.environment[name] = file.content } }
        loader.toleratesUnsupported = self.loader().toleratesUnsupported
        loader.profiles = ["*"]
        return loader
    }

    private func leave(_ what: String, as loader: inout ComposeLoader) {
        switch what {
        case "variables": loader.interpolates = false
        case "paths": loader.resolvesPaths = false
        case "tree": loader.normalizes = false
        default: break
        }
    }

    /// What the golden file should hold below its line: the diagnostics with excerpts, then the project.
    func actual() -> String {
        let result = loader().load()
        let rendered = result.diagnostics.map { diagnostic in
            diagnostic.rendered(sources: { result.sources[$0].map { YAMLDocument.lines(of: $0) } }) + "\n"
        }
        let showsTree = input.contains("\nshow tree\n")
        let shown =
            showsTree
            ? result.tree.map { YAMLWriter.text(YAMLValue($0)) } : result.project.map(ProjectRenderer.yaml)
        let blocks = rendered + [shown].compactMap(\.self)
        return blocks.joined(separator: "\n")
    }

    func rewrite(_ actual: String) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        defer { fclose(file) }
        return fputs(input + "----\n" + actual, file) >= 0
    }
}

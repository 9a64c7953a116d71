import EscaleCompose
import EscaleCore
import EscaleFuzz
import EscaleTestSupport
import EscaleYAML
import Glibc
import Testing

/// What holds for any files: merging with itself changes nothing, chains end, and too much is refused in good time.
@Suite struct MergePropertyTests {
    private static func seed() -> UInt64 {
        let seed = getenv("SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0...1_000_000)
        print("merge seed \(seed) (repeat with SEED=\(seed))")
        return seed
    }

    private func load(_ files: [String: String], _ names: [String] = []) -> LoadResult {
        let texts = Dictionary(uniqueKeysWithValues: files.map { ("/p/\($0.key)", $0.value) })
        return ComposeLoader(files: names, workingDirectory: "/p", fileSystem: .memory(texts)).load()
    }

    @Test func aFileMergedWithItselfIsTheSame() throws {
        var generator = Seeded(Self.seed())
        for _ in 0..<300 {
            let text = RandomFile.text(&generator)
            let once = load(["compose.yaml": text], ["compose.yaml"])
            let twice = load(["compose.yaml": text], ["compose.yaml", "compose.yaml"])
            #expect(once.project != nil, "\(once.diagnostics.map { $0.rendered() })\n\(text)")
            var project = twice.project
            project?.files = once.project?.files ?? []
            #expect(project == once.project, "\(text)")
        }
    }

    /// An empty override, and merging in one step or in two, make no difference.
    @Test func mergingIsAssociative() throws {
        var generator = Seeded(Self.seed())
        for _ in 0..<200 {
            let texts = (0..<3).map { _ in RandomFile.text(&generator) }
            let files = [
                "a.yaml": texts[0], "b.yaml": texts[1], "c.yaml": texts[2], "empty.yaml": "x-nothing: 1\n",
            ]
            let all = load(files, ["a.yaml", "b.yaml", "c.yaml"])
            let padded = load(files, ["a.yaml", "empty.yaml", "b.yaml", "c.yaml"])
            let documents = load(["all.yaml": texts.joined(separator: "---\n")])
            #expect(all.project?.services == padded.project?.services)
            let joined = load(["compose.yaml": texts.joined(separator: "---\n")])
            #expect(all.project?.services == joined.project?.services, "\(texts)")
            #expect(documents.project == nil)
        }
    }

    @Test(.timeLimit(.minutes(5))) func chainsOfExtendsAndIncludeEnd() throws {
        var generator = Seeded(Self.seed())
        for _ in 0..<150 {
            let names = (0..<6).map { "f\($0).yaml" }
            var files: [String: String] = [:]
            for name in names {
                let includes = (0..<Int.random(in: 0...2, using: &generator)).compactMap { _ in
                    names.randomElement(using: &generator)
                }
                var text = includes.isEmpty ? "" : "include: [\(includes.joined(separator: ", "))]\n"
                text += "services:\n"
                for service in 0..<4 {
                    let other = Int.random(in: 0..<5, using: &generator)
                    let file =
                        Bool.random(using: &generator)
                        ? "" : "file: \(names.randomElement(using: &generator) ?? ""), "
                    let extends =
                        Bool.random(using: &generator) ? "" : ", extends: {\(file)service: s\(other)}"
                    text += "  s\(service): {image: x\(extends), dns: [a]}\n"
                }
                files[name] = text
            }
            _ = load(files, ["f0.yaml"])
        }
    }

    @Test func longChainsAreRefused() {
        var files: [String: String] = [:]
        for index in 0..<200 {
            files["f\(index).yaml"] = "include: [f\(index + 1).yaml]\nservices: {s\(index): {image: x}}\n"
        }
        files["f200.yaml"] = "services: {last: {image: x}}\n"
        #expect(load(files, ["f0.yaml"]).diagnostics.map(\.code.rawValue) == ["compose.include.depth"])
        var text = "services:\n  s0: {image: x}\n"
        for index in 1..<20_000 { text += "  s\(index): {extends: s\(index - 1)}\n" }
        let inOrder = load(["compose.yaml": text])
        #expect(
            inOrder.diagnostics.contains { $0.code.rawValue.hasPrefix("compose.") } || inOrder.project != nil
        )
        text = "services:\n"
        for index in 0..<200 { text += "  s\(index): {extends: s\(index + 1)}\n" }
        let deep = load(["compose.yaml": text + "  s200: {image: x}\n"]).diagnostics
        #expect(deep.contains { $0.code.rawValue == "compose.extends.depth" })
    }

    @Test(.timeLimit(.minutes(5))) func hundredsOfFilesAreRefused() {
        var files: [String: String] = [:]
        let names = (0..<600).map { "f\($0).yaml" }
        for name in names { files[name] = "services: {\(name.dropLast(5)): {image: x}}\n" }
        files["compose.yaml"] = "include: [\(names.joined(separator: ", "))]\n"
        #expect(load(files).diagnostics.map(\.code.rawValue) == ["compose.limit"])
        #expect(load(files, names).diagnostics.map(\.code.rawValue) == ["compose.limit"])
        // As a tree whose branches meet again: 2^20 ways lead to the last one.
        files = ["f20.yaml": "services: {last: {image: x}}\n"]
        for index in 0..<20 {
            files["f\(index).yaml"] = "include: [f\(index + 1).yaml, f\(index + 1).yaml]\n"
        }
        #expect(load(files, ["f0.yaml"]).diagnostics.map(\.code.rawValue) == ["compose.limit"])
    }

    @Test(.timeLimit(.minutes(5))) func whatMultipliesIsRefused() {
        let list = "[" + String(repeating: "a, ", count: 30_000) + "a]"
        var text = "x-l: &l \(list)\nservices:\n  s0: {image: x, group_add: *l}\n"
        for index in 1..<100 { text += "  s\(index): {extends: s0, group_add: [b]}\n" }
        #expect(load(["compose.yaml": text]).diagnostics.map(\.code.rawValue).contains("compose.limit"))
        text =
            "x-v: &v ['$A$A$A$A', '$A$A$A$A']\nservices: {web: {image: x, command: [*v, *v, *v, *v, *v, *v, *v, *v]}}\n"
        var loader = ComposeLoader(workingDirectory: "/p", fileSystem: .memory(["/p/compose.yaml": text]))
        loader.environment["A"] = String(repeating: "a", count: 250_000)
        #expect(!loader.load().diagnostics.isEmpty)
        for (size, code) in [(2 << 20, "yaml.limit"), (10 << 20, "compose.limit")] {
            let huge = "services: {web: {image: \(String(repeating: "x", count: size))}}\n"
            #expect(load(["compose.yaml": huge]).diagnostics.map(\.code.rawValue) == [code])
        }
        for (size, code) in [(3 << 20, "compose.env-file.unreadable"), (10 << 20, "compose.limit")] {
            let value = load([
                "compose.yaml": "services: {web: {image: $A}}\n", ".env": "A=" + String(repeating: "x", count: size),
            ])
            #expect(value.diagnostics.first?.code.rawValue == code)
        }
    }

    @Test func aThousandServicesLoad() {
        var text = "x-env: &env {A: 1, B: 2, C: 3}\nservices:\n"
        text +=
            "  base: {image: 'app:1', environment: {<<: *env, D: 4}, ports: [80], labels: {a: b}, restart: always}\n"
        for index in 0..<1000 {
            text +=
                "  s\(index): {extends: base, environment: {<<: *env, N: '\(index)'}, command: [run, '\(index)'], depends_on: [base]}\n"
        }
        let result = load(["compose.yaml": text])
        #expect(result.project?.services.count == 1001)
    }
}

/// Compose files at random, valid and without what adds up when it is merged with itself.
private enum RandomFile {
    static func text(_ generator: inout Seeded) -> String {
        var text = "services:\n"
        for name in ["a", "b", "c"].prefix(Int.random(in: 1...3, using: &generator)) {
            text += "  \(name):\n    image: x\(Int.random(in: 0...9, using: &generator))\n"
            for attribute in attributes where Bool.random(using: &generator) {
                if let value = attribute.values.randomElement(using: &generator) {
                    text += "    \(attribute.key): \(value)\n"
                }
            }
        }
        return text + "networks: {n: , m: {internal: true}}\nvolumes: {v: , w: {labels: [a=1]}}\n"
    }

    private static let attributes: [(key: String, values: [String])] = [
        ("command", ["[a, b]", "a b", "null", "[]"]),
        ("environment", ["{A: 1, B: }", "[A=2, C=3]", "{}", "[D]"]),
        ("labels", ["{a: b}", "[a=c, d]"]),
        ("networks", ["[n]", "{n: {aliases: [x, y]}}", "{m: , n: {aliases: [y]}}"]),
        ("volumes", ["['v:/v']", "[{type: volume, source: w, target: /v}, /anon]", "['./x:/x:ro']"]),
        ("tmpfs", ["/t", "['/t:size=1m', /u]"]),
        ("cap_add", ["[KILL, CHOWN]", "[CHOWN]"]),
        ("healthcheck", ["{test: a, interval: 1s}", "{test: [CMD, b], retries: 2}", "{interval: 3s}"]),
        ("build", [".", "{context: ./x, args: [A=1]}", "{args: {A: 2, B: }, target: t}"]),
        ("restart", ["always", "'no'"]),
        ("profiles", ["[]"]),
        ("expose", ["['80']", "['80', '81']"]),
    ]
}

import EscaleCompose
import EscaleCore
import Testing

/// `docs/reference/x-escale.md`: complete, and its examples are what it says they are.
@Suite struct ReferenceTests {
    private static let page: String = {
        let path = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        guard case .contents(let bytes) = ComposeFileSystem.host.read(path + "/docs/reference/x-escale.md")
        else {
            return ""
        }
        return String(decoding: bytes, as: UTF8.self)
    }()

    /// Complete compose files; an excerpt is put where it belongs.
    private static let examples: [String] = page.split(separator: "```yaml\n").dropFirst().map { part in
        let text = part.prefix { $0 != "`" }
        func indented(below head: String, by width: Int) -> String {
            let blanks = String(repeating: " ", count: width)
            return "services:\n  web:\n    image: x\n" + head
                + text.split(separator: "\n").map { "\(blanks)\($0)\n" }.joined()
        }
        switch text.prefix(while: { $0 != ":" }) {
        case "release", "http": return indented(below: "    x-escale:\n", by: 6)
        case "update_config": return indented(below: "    deploy:\n", by: 6)
        case "ports", "healthcheck", "restart": return indented(below: "", by: 4)
        default: return String(text)
        }
    }

    @Test(arguments: examples)
    func examplesLoad(text: String) throws {
        let files = [
            "/p/compose.yaml": text, "/p/tls/chain.pem": "x", "/p/tls/key.pem": "x", "/p/db_password.txt": "x",
        ]
        let loaded = ComposeLoader(workingDirectory: "/p", fileSystem: .memory(files)).load()
        // What only a cluster goes by is said to be without effect here.
        let problems = loaded.diagnostics.filter { $0.code != .init("compose.attribute.ignored") }
        #expect(problems.isEmpty, "\(loaded.diagnostics.map { $0.rendered() })\n\(text)")
        _ = try #require(loaded.project)
    }

    @Test func everyKeyIsExplainedAndShown() {
        #expect(Self.examples.count > 10)
        for attribute in ComposeAttribute.table {
            let scope = attribute.scope
            guard scope.rawValue.contains("x-escale") || [.updateConfig, .rollbackConfig].contains(scope)
            else {
                continue
            }
            #expect(
                Self.page.contains("`\(attribute.name)`") || [.fileEscale, .serviceEscale].contains(scope),
                "\(attribute.path)"
            )
            #expect(Self.examples.contains { $0.contains("\(attribute.name):") }, "\(attribute.path)")
        }
    }
}

import EscaleCompose
import EscaleCore
import EscaleTestExpectations
import EscaleYAML
import Testing

/// The table of attributes: complete, documented and shown by golden files.
@Suite struct AttributeTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    private static func read(_ path: String) -> String {
        guard case .contents(let bytes) = ComposeFileSystem.host.read("\(root)/\(path)") else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func theTableNamesEachAttributeOnce() {
        let paths = ComposeAttribute.table.map(\.path)
        #expect(Set(paths).count == paths.count)
    }

    /// How the list came to be is said at its top.
    @Test func everyAttributeOfTheSchemaIsInTheTable() {
        let schema = Self.read("Tests/Golden/compose-attributes.txt").split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("#") }
        #expect(schema.count > 300)
        #expect(schema == schema.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) })
        let table = Set(ComposeAttribute.table.map(\.path))
        let missing = schema.filter { !table.contains($0) }
        #expect(missing.isEmpty, "the table lacks \(missing)")
    }

    /// What is warned of or refused says what happens instead, in words that fit behind a colon.
    @Test func everyAttributeThatDoesNothingSaysWhatHappens() {
        for attribute in ComposeAttribute.table {
            switch attribute.status {
            case .executed: continue
            case .accepted(let text), .warned(let text), .refused(let text):
                #expect(text.count > 10 && !text.hasSuffix("."), "\(attribute.path)")
            }
        }
    }

    @Test("AttributePage: the reference page is what the table says")
    func theReferencePageIsWhatTheTableSays() throws {
        try expectGolden(AttributePage.markdown(), "docs/reference/compose.md")
    }

    /// Which attributes no golden file uses, at the very place where they belong.
    @Test func everyAttributeIsInAGoldenFile() {
        var used: Set<String> = []
        for golden in GoldenCase.all() {
            for (name, text) in golden.texts where name.hasSuffix(".yaml") || name.hasSuffix(".yml") {
                if let node = YAMLDocument.parse(text: text, file: name).0 {
                    collect(node, at: "", into: &used)
                }
            }
        }
        let missing = ComposeAttribute.table.map(\.path).filter { !used.contains($0) }
        #expect(missing.isEmpty, "no golden file uses \(missing)")
    }

    private func collect(_ node: YAMLNode, at path: String, into used: inout Set<String>) {
        func joined(_ part: String) -> String { path.isEmpty ? part : "\(path).\(part)" }
        switch node.content {
        case .scalar: return
        case .sequence(let items): for item in items { collect(item, at: joined("*"), into: &used) }
        case .mapping(let mapping):
            let attributes = ComposeAttribute.Scope(rawValue: path).map(ComposeAttribute.attributes) ?? [:]
            for pair in mapping.pairs {
                if let attribute = attributes[pair.key] { used.insert(attribute.path) }
                collect(pair.value, at: joined(attributes[pair.key]?.name ?? "*"), into: &used)
            }
        }
    }
}

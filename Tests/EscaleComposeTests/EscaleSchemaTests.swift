import EscaleCompose
import EscaleTestExpectations
import Testing

/// `docs/reference/x-escale.schema.json` is what the code makes, and knows all of `x-escale`.
///
/// Tests/Compose/schema.py validates the golden files' inputs with it.
@Suite struct EscaleSchemaTests {
    @Test func theFileIsWhatTheCodeMakes() throws {
        try expectGolden(EscaleSchema.text, "docs/reference/x-escale.schema.json")
    }

    @Test func everyAttributeHasAShape() {
        let known = EscaleAttributeValue.table.map { "\($0.scope.rawValue).\($0.name)" }
        let attributes = ComposeAttribute.table.filter { $0.scope.rawValue.contains("x-escale") }
        #expect(Set(known) == Set(attributes.map(\.path)))
        #expect(Set(known).count == known.count)
    }
}

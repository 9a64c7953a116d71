import EscaleCompose
import Glibc
import Testing

/// `docs/reference/x-escale.schema.json` is what the code makes, and knows all of `x-escale`.
///
/// Tests/Compose/schema.py validates the golden files' inputs with it.
@Suite struct EscaleSchemaTests {
    @Test func theFileIsWhatTheCodeMakes() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let path = root + "/docs/reference/x-escale.schema.json"
        if getenv("UPDATE_GOLDEN") != nil {
            let file = try #require(fopen(path, "w"))
            defer { fclose(file) }
            #expect(fputs(EscaleSchema.text, file) >= 0)
        }
        guard case .contents(let bytes) = ComposeFileSystem.host.read(path) else {
            Issue.record("there is no \(path)")
            return
        }
        #expect(
            String(decoding: bytes, as: UTF8.self) == EscaleSchema.text,
            "it is not what the code makes: UPDATE_GOLDEN=1 swift test rewrites it"
        )
    }

    @Test func everyAttributeHasAShape() {
        let known = EscaleAttributeValue.table.map { "\($0.scope.rawValue).\($0.name)" }
        let attributes = ComposeAttribute.table.filter { $0.scope.rawValue.contains("x-escale") }
        #expect(Set(known) == Set(attributes.map(\.path)))
        #expect(Set(known).count == known.count)
    }
}

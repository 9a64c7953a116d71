import EscaleSystem
import Glibc
import Testing

/// Compares with a checked-in file; `UPDATE_GOLDEN=1` rewrites it instead.
///
/// - Parameter path: from the package's root.
func expectGolden(_ text: String, _ path: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let here = #filePath
    let root = here.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    let file = "\(root)/\(path)"
    if getenv("UPDATE_GOLDEN") != nil {
        try Files.createDirectories(String(file[..<(file.lastIndex(of: "/") ?? file.endIndex)]))
        try Files.write(file, Array(text.utf8))
        return
    }
    let expected = Files.exists(file) ? try Files.readText(file) : ""
    #expect(
        text == expected,
        "\(path) is not what the code makes: UPDATE_GOLDEN=1 swift test rewrites it",
        sourceLocation: sourceLocation
    )
}

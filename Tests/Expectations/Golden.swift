import EscaleSystem
import Glibc
package import Testing

/// Compares with a checked-in file; with `UPDATE_GOLDEN=1` in the environment it is written instead.
///
/// - Parameter path: from the package's root.
package func expectGolden(_ text: String, _ path: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
    let file = "\(root)/\(path)"
    if getenv("UPDATE_GOLDEN") != nil {
        try Files.createDirectories(String(file[..<(file.lastIndex(of: "/") ?? file.endIndex)]))
        try Files.replace(file, text.utf8)
    }
    let expected = Files.exists(file) ? try Files.readText(file) : ""
    #expect(
        text == expected, "\(path) is not what the code makes: UPDATE_GOLDEN=1 swift test rewrites it, then read the difference",
        sourceLocation: sourceLocation)
}

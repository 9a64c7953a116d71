import EscaleCore
import EscaleSystem

/// A directory of the test's own that goes with it.
package final class ScratchDirectory: Sendable {
    package let path: String

    package init() throws {
        path = "/tmp/escale-test-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
        try Files.createDirectories(path)
    }

    // Best effort: the directory is under /tmp.
    deinit { try? Files.remove(path) }

    package func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    package func directory(_ name: String) throws -> String {
        try Files.createDirectories(self(name))
        return self(name)
    }

    package func file(_ name: String, _ text: String, mode: UInt32 = 0o644) throws {
        let path = self(name)
        if let slash = path.lastIndex(of: "/") { try Files.createDirectories(String(path[..<slash])) }
        try Files.write(path, Array(text.utf8), mode: mode)
    }

    package func text(_ name: String) throws -> String { try Files.readText(self(name)) }
}

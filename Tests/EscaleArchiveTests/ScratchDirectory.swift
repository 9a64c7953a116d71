import EscaleCore
import EscaleSystem

/// A directory of the test's own that goes with it.
final class ScratchDirectory: Sendable {
    let path: String

    init() throws {
        path = "/tmp/escale-archive-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
        try Files.createDirectories(path)
    }

    // Best effort: the directory is under /tmp.
    deinit { try? Files.remove(path) }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    func directory(_ name: String) throws -> String {
        try Files.createDirectories(self(name))
        return self(name)
    }

    func file(_ name: String, _ text: String, mode: UInt32 = 0o644) throws {
        let path = self(name)
        if let slash = path.lastIndex(of: "/") { try Files.createDirectories(String(path[..<slash])) }
        try Files.write(path, Array(text.utf8), mode: mode)
    }

    func text(_ name: String) throws -> String { try Files.readText(self(name)) }
}

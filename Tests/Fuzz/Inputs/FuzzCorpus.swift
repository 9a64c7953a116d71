import EscaleCompose
import Glibc

/// Compose files that people could have written: what golden files have above their line.
package struct FuzzCorpus: Sendable {
    /// One by one: the files of a project by name.
    let inputs: [[String: [UInt8]]]
    /// Every file's text, from which others borrow lines.
    let texts: [[UInt8]]

    /// The golden files' inputs in a directory; none where it can't be read.
    package init(directory: String) {
        var inputs: [[String: [UInt8]]] = []
        for name in Self.names(in: directory).sorted() where name.hasSuffix(".golden") {
            guard case .contents(let bytes) = ComposeFileSystem.host.read("\(directory)/\(name)") else { continue }
            inputs.append(Self.files(of: String(decoding: bytes, as: UTF8.self)))
        }
        self.inputs = inputs
        texts = inputs.flatMap { $0.sorted { $0.key < $1.key }.map(\.value) }
    }

    package var isEmpty: Bool { inputs.isEmpty }

    /// `compose.yaml` up to the first line `=== NAME`, which begins another file; what is below `----` is no input.
    private static func files(of golden: String) -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        var current = "compose.yaml"
        for line in golden.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == "----" { break }
            if line.hasPrefix("=== ") {
                current = String(line.dropFirst(4))
            } else if current != "options" {
                files[current, default: []] += Array(line.utf8) + [10]
            }
        }
        return files
    }

    private static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            )
        }
        return names
    }
}

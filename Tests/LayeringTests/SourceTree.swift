import EscaleSystem
import Testing

/// The repository as it is on disk.
enum SourceTree {
    static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    struct File: Sendable {
        /// Below the repository's root.
        let path: String
        let text: String
        /// The modules that it imports, with the line each import is on.
        let imports: [(module: String, line: Int)]

        init(path: String, text: String) {
            self.path = path
            self.text = text
            imports = Self.imports(in: text)
        }

        /// `Layer/Target`, as `layers.txt` writes it.
        var target: String { path.split(separator: "/").dropFirst().prefix(2).joined(separator: "/") }
        var layer: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    }

    /// Every Swift file below Sources; read once for all tests.
    static func swiftFiles() throws -> [File] { try all.get() }

    private static let all = Result {
        try files(below: "Sources").filter { $0.hasSuffix(".swift") }
            .map { File(path: $0, text: try Files.readText("\(root)/\($0)")) }
    }

    private static func files(below path: String) throws -> [String] {
        try Files.list("\(root)/\(path)").filter { !$0.hasPrefix(".") }.flatMap { name in
            let inner = "\(path)/\(name)"
            return Files.isDirectory("\(root)/\(inner)") ? try files(below: inner) : [inner]
        }
    }
}

extension SourceTree.File {
    private static func imports(in text: String) -> [(module: String, line: Int)] {
        text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { index, line in
            guard line.utf8.first != UInt8(ascii: " "), line.contains("import ") else { return nil }
            var words = line.split(separator: " ")[...]
            while let first = words.first, first.hasPrefix("@") || ["package", "public", "internal", "private", "fileprivate"].contains(first) {
                words.removeFirst()
            }
            guard words.first == "import" else { return nil }
            let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
            guard let module = words.dropFirst().first(where: { !kinds.contains($0) }) else { return nil }
            return (String(module.prefix { $0 != "." && $0 != ";" }), index + 1)
        }
    }
}

/// The rules of `layers.txt`.
struct LayerRules: Sendable {
    private(set) var allowed: [String: Set<String>] = [:]
    private(set) var owners: [String: Set<String>] = [:]
    private(set) var toolchain: Set<String> = []
    private(set) var long: Set<String> = []

    init() throws {
        for raw in try Files.readText("\(SourceTree.root)/layers.txt").split(separator: "\n") {
            let line = raw.prefix { $0 != "#" }
            let words = line.split(separator: " ").map(String.init)
            guard let name = words.first else { continue }
            switch name {
            case "toolchain:": toolchain.formUnion(words.dropFirst())
            case "long:": long.formUnion(words.dropFirst())
            default:
                let targets = Set(words.dropFirst(2))
                guard words.count > 2, allowed[name] == nil, owners[name] == nil, ["->", "<-"].contains(words[1]) else {
                    Issue.record("layers.txt: not understood: \(line)")
                    continue
                }
                if words[1] == "->" { allowed[name] = targets } else { owners[name] = targets }
            }
        }
    }

    /// Whether a file of the one target may import the other; both as `Layer/Target`.
    func allows(_ target: String, _ other: String) -> Bool {
        let layer = String(target.prefix { $0 != "/" })
        let otherLayer = String(other.prefix { $0 != "/" })
        let rule = allowed[target] ?? allowed[layer] ?? []
        return rule.contains(other) || rule.contains(otherLayer)
    }
}

package import EscaleCompose
import EscaleTestSupport

/// The files of one load, made from a seed: the same seed gives the same files.
package struct FuzzInput: Sendable {
    /// How an input is made.
    package enum Kind: String, CaseIterable, Sendable {
        /// Any bytes, with more of those that mean something in YAML.
        case bytes
        /// Well-formed YAML of any shape.
        case yaml
        /// A compose file of the specification's attributes with values that may or may not fit.
        case compose
        /// A golden file's input with some damage.
        case mutated
        /// Made to be expensive: it must be refused.
        case hostile
    }

    /// The project's directory in the input's file system.
    package static let directory = "/srv/shop"

    package let kind: Kind
    /// By absolute path.
    package private(set) var files: [String: [UInt8]]

    package init(_ kind: Kind, seed: UInt64, corpus: FuzzCorpus) {
        self.kind = kind
        var random = Seeded(seed)
        switch kind {
        case .bytes: files = ["compose.yaml": RandomBytes.make(&random)]
        case .yaml: files = ["compose.yaml": Array(RandomYAML.any(&random).utf8)]
        case .compose: files = ["compose.yaml": Array(RandomYAML.compose(&random).utf8)]
        case .mutated:
            files = corpus.inputs.isEmpty ? [:] : random.one(of: corpus.inputs)
            for name in files.keys.sorted() where name == "compose.yaml" || random.once(in: 3) {
                let other = random.one(of: corpus.texts)
                files[name] = Mutation.damaged(files[name] ?? [], with: other, &random)
            }
        case .hostile: files = HostileInput.make(&random)
        }
        // Whatever else a file may name is there too, and holds the same.
        if let main = files["compose.yaml"], kind != .hostile {
            for name in [".env", "app.env", "compose.override.yaml", "base.yaml"] where files[name] == nil {
                if random.once(in: 8) { files[name] = main }
            }
        }
        files = Dictionary(uniqueKeysWithValues: files.map { ("\(Self.directory)/\($0)", $1) })
    }

    /// A loader of the input.
    package var loader: ComposeLoader {
        let files = files
        return ComposeLoader(
            workingDirectory: Self.directory,
            environment: ["HOME": "/home/ada", "TAG": "1", "EMPTY": ""],
            fileSystem: ComposeFileSystem(
                read: { path in files[path].map { .contents($0) } ?? .missing },
                exists: { path in files[path] != nil }
            )
        )
    }

    /// The files as one text, each below a line with its name: what a report shows.
    package var text: String {
        files.sorted { $0.key < $1.key }.map { path, bytes in
            "=== \(path)\n" + String(decoding: bytes, as: UTF8.self)
        }.joined(separator: "\n")
    }
}

import EscaleCore
import EscaleCrypto

/// Collects what a step's result depends on. Each part is set off from the next, so that no two lists are alike.
struct StepKey: ~Copyable {
    private var hasher = SHA256()

    /// The kind's version is part of it: change the text when a step of the kind comes to do something else.
    init(_ kind: String) { add("escale 1 " + kind) }

    mutating func add(bytes: [UInt8]) {
        hasher.update(Array("\(bytes.count):".utf8))
        hasher.update(bytes)
    }

    mutating func add(_ text: String) { add(bytes: Array(text.utf8)) }
    mutating func add(_ digest: Digest) { add(digest.hex) }

    mutating func add(_ texts: [String]) {
        add("\(texts.count)")
        for text in texts { add(text) }
    }

    mutating func add(_ digests: [Digest]) { add(digests.map(\.hex)) }

    consuming func finish() -> Digest { hasher.finish() }
}

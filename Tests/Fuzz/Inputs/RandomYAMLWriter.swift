import EscaleTestSupport

/// Writes a tree in a style that changes from node to node: block or flow, any quotes, anchors and aliases.
struct RandomYAMLWriter {
    private(set) var text = ""
    private var anchors = 0

    mutating func write(_ tree: RandomYAML.Tree, _ random: inout Seeded) {
        if random.once(in: 20) { text += random.one(of: ["---\n", "%YAML 1.1\n---\n", "# a comment\n", "\u{FEFF}"]) }
        block(tree, indent: 0, &random)
        if random.once(in: 40) { text += random.one(of: ["...\n", "---\na: b\n", "\t"]) }
    }

    /// The node on lines of its own.
    private mutating func block(_ tree: RandomYAML.Tree, indent: Int, _ random: inout Seeded) {
        let lead = String(repeating: " ", count: indent)
        let step = random.once(in: 8) ? 5 : 2
        switch tree {
        case .list(let items) where !items.isEmpty && !random.once(in: 5):
            for item in items {
                text += lead + "-"
                inner(item, indent: indent + step, &random)
            }
        case .map(let members) where !members.isEmpty && !random.once(in: 5):
            for member in members {
                text += lead + key(member.key, &random) + ":"
                inner(member.value, indent: indent + step, &random)
            }
        case .scalar, .list, .map:
            text += lead
            flow(tree, &random)
            text += "\n"
        }
    }

    /// The node after a `-` or a key.
    private mutating func inner(_ tree: RandomYAML.Tree, indent: Int, _ random: inout Seeded) {
        if anchors > 0, random.once(in: 12) {
            text += " *a\(Int.random(in: 0..<anchors, using: &random))\n"
            return
        }
        if random.once(in: 12) {
            text += " &a\(anchors)"
            anchors += 1
        }
        if random.once(in: 60) { text += " " + random.one(of: ["!!str", "!!int", "!reset", "!override", "!x", "!!map"]) }
        switch tree {
        case .scalar(let word) where random.once(in: 15):
            text += random.one(of: [" |", " >", " |-", " >+", " |2"]) + "\n"
            text += String(repeating: " ", count: indent) + word + "\n"
        case .scalar:
            text += " "
            flow(tree, &random)
            text += "\n"
        case .list, .map:
            text += "\n"
            block(tree, indent: indent, &random)
        }
    }

    private mutating func flow(_ tree: RandomYAML.Tree, _ random: inout Seeded) {
        switch tree {
        case .scalar(let word): text += scalar(word, &random)
        case .list(let items):
            text += "["
            for (index, item) in items.enumerated() {
                if index > 0 { text += ", " }
                flow(item, &random)
            }
            text += "]"
        case .map(let members):
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += ", " }
                text += key(member.key, &random) + ": "
                flow(member.value, &random)
            }
            text += "}"
        }
    }

    private func key(_ word: String, _ random: inout Seeded) -> String {
        random.once(in: 60) ? "<<" : scalar(word, &random)
    }

    private func scalar(_ word: String, _ random: inout Seeded) -> String {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
        case 1: "\"" + word.filter { $0 != "\"" && $0 != "\\" } + "\""
        default: word
        }
    }
}

package import EscaleCore
import EscaleYAML

/// Where the values of a loaded project come from, and which ones they took the place of.
package struct LoadHistory: Sendable {
    package enum Reason: String, Sendable {
        /// Written in the first file.
        case file
        /// Written in a file that is merged over others.
        case merge
        /// Taken over from a service, by `extends`.
        case extends
        /// Taken over from an included file.
        case include
        /// Taken away by `!reset`.
        case reset
        /// Made of variables.
        case variable
        /// Written nowhere.
        case `default`
    }

    package struct Entry: Hashable, Sendable {
        package let reason: Reason
        package let position: SourcePosition?
        /// A scalar as written, before its variables were filled in; `nil` for a collection.
        package let value: String?
    }

    /// What was replaced or taken over at a path, oldest first.
    private var earlier: [String: [Entry]] = [:]
    /// Texts with variables, by where they stand.
    private var templates: [SourcePosition: String] = [:]
    private var reasons: [String: Reason] = [:]
    private var count = 0
    /// Entries and templates that are kept; nobody asks for more, and a hostile project has no end of them.
    private static let most = 20_000
    /// The tree that came out.
    var tree: YAMLNode?

    /// What gave the path (`services.web.ports[0]`) its value, oldest first; the last entry counts. Empty for a path
    /// that no file writes.
    package subscript(path: String) -> [Entry] {
        var entries = earlier[path] ?? []
        if let node = tree.flatMap({ Self.node(at: path, in: $0) }) { entries += self.entries(of: node) }
        return entries
    }

    /// Paths whose value took the place of another, sorted.
    package var paths: [String] { earlier.keys.sorted() }

    // MARK: Recording

    /// How values of the file come into the project.
    mutating func note(file: String, _ reason: Reason) { reasons[file] = reasons[file] ?? reason }

    mutating func note(template: String, at position: SourcePosition) {
        guard count < Self.most, templates[position] == nil else { return }
        count += 1
        templates[position] = template
    }

    mutating func note(_ entry: Entry, at path: String) {
        // A value that stands once and is merged with itself took nobody's place.
        guard count < Self.most, earlier[path]?.last != entry else { return }
        count += 1
        earlier[path, default: []].append(entry)
    }

    /// Notes that a node has lost its place to another.
    mutating func note(replaced node: YAMLNode, at path: String) {
        for entry in entries(of: node) { note(entry, at: path) }
    }

    private func entries(of node: YAMLNode) -> [Entry] {
        let template = templates[node.position]
        let reason = reasons[node.position.file] ?? .default
        var entries = [Entry(reason: reason, position: node.position, value: template ?? node.scalar?.text)]
        if template != nil {
            entries.append(Entry(reason: .variable, position: node.position, value: node.scalar?.text))
        }
        return entries
    }

    /// The node at a path as fields spell it. A key may hold dots, so the longest key that fits is tried first.
    private static func node(at path: String, in root: YAMLNode) -> YAMLNode? {
        if path.isEmpty { return root }
        var rest = path[...]
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]"), let items = root.sequence {
            guard let index = Int(rest[rest.index(after: rest.startIndex)..<end]),
                items.indices.contains(index)
            else { return nil }
            rest = rest[rest.index(after: end)...]
            return node(at: String(rest.hasPrefix(".") ? rest.dropFirst() : rest), in: items[index])
        }
        let fitting = (root.mapping?.pairs ?? []).filter { path.hasPrefix($0.key) }
        for pair in fitting.sorted(by: { $0.key.utf8.count > $1.key.utf8.count }) {
            let rest = path.dropFirst(pair.key.count)
            guard rest.isEmpty || rest.hasPrefix(".") || rest.hasPrefix("[") else { continue }
            let inner = String(rest.hasPrefix(".") ? rest.dropFirst() : rest)
            if let found = node(at: inner, in: pair.value) { return found }
        }
        return nil
    }
}

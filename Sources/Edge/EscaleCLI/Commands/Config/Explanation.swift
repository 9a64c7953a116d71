import EscaleCompose
import EscaleCore
import EscaleYAML

/// Where a value of a project comes from: `escale config --explain services.web.image`.
struct Explanation: Encodable {
    /// One step of a value's way: the latest counts.
    struct Source: Encodable, Hashable {
        /// The part of the value that it is about.
        let path: String
        let reason: String
        /// As written, before variables; missing for a collection.
        let value: String?
        /// What was filled in.
        let variables: [Variable]?
        let file: String?
        let line: Int?
        let column: Int?
    }

    /// A variable that a value is made of.
    struct Variable: Encodable, Hashable {
        enum Origin: String, Encodable { case shell, file, unset }

        let name: String
        /// Missing where it is not set, so that its default counts.
        let value: String?
        /// The shell, an environment file, or neither.
        let origin: Origin
    }

    let path: String
    /// A scalar's text, or a collection as YAML.
    let value: String
    private let isCollection: Bool
    /// The newest first for each path.
    let sources: [Source]

    /// `nil` where the project has nothing of that path.
    ///
    /// - Parameter shell: the shell's variables, to tell them from those of environment files.
    init?(of key: String, in loaded: LoadResult, shell: [String: String]) {
        let finder = SourceFinder(loaded: loaded, shell: shell)
        let found = loaded.tree.map { KeyPath(key, in: $0) }
        if let found, found.rest.isEmpty {
            path = found.memberPath ?? found.path
            (value, isCollection) = Self.written(found.value)
            sources = finder.sources(below: found.node, at: found.path, member: found.memberPath)
        } else if let project = loaded.project, let canonical = ProjectRenderer.tree(project).value(at: key[...]) {
            // What the files don't say in these words, or not at all.
            path = key
            (value, isCollection) = Self.written(canonical)
            // Below `services.web` it is about one attribute, of which the files have another form.
            let whole = found.flatMap { $0.depth > 2 ? $0 : nil }
            sources =
                whole.map { finder.sources(below: $0.node, at: $0.path) }
                ?? [finder.source(key, .default, nil, nil)]
        } else {
            return nil
        }
    }

    private enum CodingKeys: CodingKey { case path, value, sources }

    private static func written(_ value: YAMLValue) -> (text: String, isCollection: Bool) {
        switch value {
        case .list, .map: (YAMLWriter.text(value), true)
        case .string(let text): (text, false)
        case .null, .bool, .int, .double: (String(YAMLWriter.text(value).dropLast()), false)
        }
    }

    // MARK: Text

    /// The value, then a line for each source: where, what was written there, and what it did.
    var text: String {
        let lines = value.split(separator: "\n", omittingEmptySubsequences: false)
        let isBlock = isCollection || lines.count > 1
        var text = "\(path):"
        text += isBlock ? "\n" + lines.filter { !$0.isEmpty }.map { "  \($0)\n" }.joined() : " \(value)\n"
        var table = Table("WHERE", "WHAT", "AS WRITTEN")
        for source in sources {
            let place = source.file.map { "\($0):\(source.line ?? 0):\(source.column ?? 0)" } ?? "-"
            let part = source.path.hasPrefix(path) ? source.path.dropFirst(path.count).drop { $0 == "." } : ""
            let words = [source.value, Self.spoken(source.reason)].compactMap { $0 } + (source.variables ?? []).map(\.spoken)
            table.add("  \(place)", String(part), words.joined(separator: "  "))
        }
        // The columns explain themselves.
        return text + table.rendered().drop { $0 != "\n" }.dropFirst()
    }

    private static func spoken(_ reason: String) -> String? {
        switch LoadHistory.Reason(rawValue: reason) {
        case .file, .variable, nil: nil
        case .merge: "(merged over the files before)"
        case .extends: "(by extends)"
        case .include: "(by include)"
        case .reset: "(removed by !reset)"
        case .default: "(the default; no file says it)"
        }
    }

    // MARK: Suggestions

    /// Paths that may have been meant: what the deepest part of the key that exists has below it.
    static func known(near key: String, in loaded: LoadResult) -> [String] {
        guard let found = loaded.tree.map({ KeyPath(key, in: $0) }) else { return [] }
        let lead = found.path.isEmpty ? "" : "\(found.path)."
        let keys = (found.node.mapping?.pairs ?? []).map(\.key).filter { !$0.hasPrefix("x-") }
        let wanted = found.rest.split { $0 == "." || $0 == "[" }.first.map(String.init) ?? ""
        if let near = closest(to: wanted, in: keys) { return [lead + near] }
        return keys.prefix(12).map { lead + $0 }
    }
}

extension Explanation.Variable {
    fileprivate var spoken: String {
        switch origin {
        case .shell: "(\(name)=\(value ?? "") in the shell)"
        case .file: "(\(name)=\(value ?? "") in an environment file)"
        case .unset: "(\(name) is not set)"
        }
    }
}

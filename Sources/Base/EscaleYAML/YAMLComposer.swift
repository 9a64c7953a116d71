import EscaleCore

/// Builds nodes from libyaml's events: anchors, merge keys, duplicate keys and limits are its business.
struct YAMLComposer {
    private struct Abandoned: Error {}

    private let text: String
    private let file: String
    private let limits: YAMLLimits
    private let reader: YAMLEventReader
    private var anchors: [String: YAMLNode] = [:]
    /// Anchors of collections that are not complete yet; an alias to one would contain itself.
    private var openAnchors: Set<String> = []
    private var total = YAMLWeight(nodes: 0, bytes: 0)
    private(set) var diagnostics: [Diagnostic] = []

    init(text: String, file: String, limits: YAMLLimits) {
        self.text = text
        self.file = file
        self.limits = limits
        reader = YAMLEventReader(text.utf8)
    }

    /// The document's root; `nil` for an empty stream and where ``diagnostics`` say why there is none. Refuses a
    /// second document.
    mutating func document() -> YAMLNode? { documents(atMost: 1)?.first }

    /// The roots of the documents, without empty ones; `nil` where ``diagnostics`` say why there are none.
    mutating func documents(atMost limit: Int = .max) -> [YAMLNode]? {
        var roots: [YAMLNode] = []
        do throws(Abandoned) {
            while true {
                let event = try next()
                switch event.kind {
                case .streamStart, .documentEnd: continue
                case .streamEnd: return roots
                case .documentStart:
                    guard roots.count < limit else {
                        report(
                            "yaml.documents",
                            "a second document begins here; one file holds one document",
                            event.mark,
                            hint: "remove the `---` line, or move what follows to a file of its own"
                        )
                        return roots
                    }
                    anchors = [:]
                    let content = try node(try next(), depth: 0)
                    let isBlank = content.isNull && content.scalar?.text.isEmpty == true && content.tag == nil
                    if !isBlank { roots.append(content) }
                case .alias, .scalar, .sequenceStart, .sequenceEnd, .mappingStart, .mappingEnd: return roots
                }
            }
        } catch {
            return nil
        }
    }

    // MARK: Nodes

    private mutating func node(_ event: YAMLEvent, depth: Int) throws(Abandoned) -> YAMLNode {
        let before = total
        if case .alias(let name) = event.kind { return try alias(name, event.mark) }
        try count(1, bytes: 0, event.mark)
        guard depth <= limits.depth else {
            throw abandon("yaml.limit", "values are nested more than \(limits.depth) levels deep", event.mark)
        }
        if let anchor = event.anchor { openAnchors.insert(anchor) }
        let content: YAMLNode.Content
        switch event.kind {
        case .scalar(let scalar):
            let size = scalar.text.utf8.count
            guard size <= limits.scalarBytes else {
                throw abandon(
                    "yaml.limit",
                    "this value is longer than \(limits.scalarBytes >> 10) KiB",
                    event.mark,
                    hint: "put large data into a file and mount it"
                )
            }
            try count(0, bytes: size, event.mark)
            content = .scalar(scalar)
        case .sequenceStart: content = .sequence(try items(depth: depth))
        case .mappingStart: content = .mapping(try mapping(depth: depth))
        case .alias, .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
            throw abandon("yaml.syntax", "a value is missing here", event.mark)
        }
        let node = YAMLNode(content, at: place(event.mark), tag: event.tag, weight: total - before)
        if let anchor = event.anchor {
            openAnchors.remove(anchor)
            anchors[anchor] = node
        }
        return node
    }

    private mutating func items(depth: Int) throws(Abandoned) -> [YAMLNode] {
        var items: [YAMLNode] = []
        while true {
            let event = try next()
            if case .sequenceEnd = event.kind { return items }
            items.append(try node(event, depth: depth + 1))
        }
    }

    private mutating func alias(_ name: String, _ mark: YAMLMark) throws(Abandoned) -> YAMLNode {
        if let target = anchors[name] {
            try count(target.weight.nodes, bytes: target.weight.bytes, mark)
            return target
        }
        if openAnchors.contains(name) {
            report("yaml.alias.recursive", "*\(name) stands inside the value that it names", mark)
        } else {
            let known = anchors.keys.sorted().map { "*" + $0 }.joined(separator: ", ")
            report(
                "yaml.alias.unknown",
                "*\(name) refers to an anchor that is not defined above it",
                mark,
                hint: known.isEmpty
                    ? "mark the value to repeat with &\(name) first" : "anchors so far: \(known)"
            )
        }
        return YAMLNode(.scalar(YAMLScalar("", style: .plain)), at: place(mark))
    }

    // MARK: Mappings

    private mutating func mapping(depth: Int) throws(Abandoned) -> YAMLMapping {
        var pairs: [YAMLMapping.Pair] = []
        var merges: [YAMLNode] = []
        var seen: [String: SourcePosition] = [:]
        while true {
            let event = try next()
            if case .mappingEnd = event.kind { break }
            let keyNode = try node(event, depth: depth + 1)
            let position = place(event.mark)
            let value = try node(try next(), depth: depth + 1)
            guard let key = keyNode.scalar else {
                report(
                    "yaml.key",
                    "a key must be plain text, not \(keyNode.spokenKind)",
                    event.mark,
                    hint: "text that begins with { or [ needs quotes"
                )
                continue
            }
            if let first = seen[key.text] {
                report(
                    "yaml.key.duplicate",
                    "\"\(key.text)\" is given twice, first at \(first)",
                    event.mark,
                    hint: key.text == "<<"
                        ? "merge several maps with one list: `<<: [*a, *b]`"
                        : "a key may stand once in a mapping; remove one of the two"
                )
                continue
            }
            seen[key.text] = position
            if key.text == "<<", key.style == .plain {
                merges += mergeSources(value, at: event.mark)
            } else {
                pairs.append(.init(key: key.text, keyPosition: position, value: value))
            }
        }
        for pair in merges.flatMap({ $0.mapping?.pairs ?? [] }) where seen[pair.key] == nil {
            seen[pair.key] = pair.keyPosition
            pairs.append(pair)
        }
        return YAMLMapping(pairs)
    }

    /// The mappings that a merge key names, the winner of a conflict first.
    private mutating func mergeSources(_ value: YAMLNode, at mark: YAMLMark) -> [YAMLNode] {
        let sources = value.sequence ?? [value]
        // An alias to nothing was reported where it stands.
        let reported = Set(diagnostics.compactMap(\.position))
        if let wrong = sources.first(where: { $0.mapping == nil && !reported.contains($0.position) }) {
            report(
                "yaml.merge",
                "`<<` merges mappings, but this is \(wrong.spokenKind)",
                mark,
                hint: "name an anchored mapping (`<<: *base`) or a list of them (`<<: [*a, *b]`)"
            )
        }
        return sources.filter { $0.mapping != nil }
    }

    // MARK: Events, limits, problems

    private mutating func next() throws(Abandoned) -> YAMLEvent {
        do throws(YAMLSyntaxFault) {
            return try reader.next()
        } catch {
            diagnostics.append(error.explained(text: text, file: file))
            throw Abandoned()
        }
    }

    private mutating func count(_ nodes: Int, bytes: Int, _ mark: YAMLMark) throws(Abandoned) {
        total.nodes += nodes
        total.bytes += bytes
        guard total.nodes <= limits.nodes, total.bytes <= limits.expandedBytes else {
            throw abandon(
                "yaml.limit",
                total.nodes > limits.nodes
                    ? "the document holds more than \(limits.nodes) values once its aliases are expanded"
                    : "the document holds more than \(limits.expandedBytes >> 20) MiB once its aliases are expanded",
                mark,
                hint: "aliases that refer to aliases multiply; repeat less"
            )
        }
    }

    private func place(_ mark: YAMLMark) -> SourcePosition {
        if mark.isEnd {
            let lines = YAMLDocument.lines(of: text)
            if mark.line >= lines.count, let last = lines.last {
                return SourcePosition(file: file, line: lines.count, column: last.unicodeScalars.count + 1)
            }
        }
        return SourcePosition(file: file, line: mark.line + 1, column: mark.column + 1)
    }

    private mutating func report(
        _ code: String,
        _ message: String,
        _ mark: YAMLMark,
        hint: String? = nil
    ) {
        diagnostics.append(Diagnostic(.error, .init(code), message, at: place(mark), hint: hint))
    }

    private mutating func abandon(
        _ code: String,
        _ message: String,
        _ mark: YAMLMark,
        hint: String? = nil
    ) -> Abandoned {
        report(code, message, mark, hint: hint)
        return Abandoned()
    }
}

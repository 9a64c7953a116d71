import EscaleCompose
package import EscaleCore
package import EscaleYAML

/// What becomes of every key of a project's files.
package struct Coverage: Sendable {
    package struct Finding: Hashable, Sendable {
        /// As in the file: `services.web.ports`.
        package var key: String
        package var position: SourcePosition
        package var treatment: Treatment
    }

    /// By position.
    package private(set) var findings: [Finding] = []

    /// - Parameters:
    ///   - tree: the merged files.
    ///   - disabled: services that no active profile has.
    package init(_ tree: YAMLNode, disabled: Set<String> = [], notes: [MappingNote] = []) {
        visit(tree, pattern: "", key: "", isInherited: false, disabled: disabled)
        for note in notes { add(note, in: tree) }
        findings.sort { ($0.position, $0.key) < ($1.position, $1.key) }
    }

    package func count(_ word: String) -> Int { findings.count { $0.treatment.word == word } }

    // MARK: Keys

    private static let attributes = Dictionary(ComposeAttribute.table.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    private static let wildcards = Set(
        ComposeAttribute.Scope.allCases.flatMap { scope in
            let parts = scope.rawValue.split(separator: ".")
            return parts.indices.filter { parts[$0] == "*" }.map { parts[...$0].joined(separator: ".") }
        })

    private mutating func visit(_ node: YAMLNode, pattern: String, key: String, isInherited: Bool, disabled: Set<String>) {
        let below = pattern.isEmpty ? "*" : "\(pattern).*"
        switch node.content {
        case .scalar: return
        case .sequence(let items):
            guard Self.wildcards.contains(below) else { return }
            for (index, item) in items.enumerated() {
                visit(item, pattern: below, key: "\(key)[\(index)]", isInherited: isInherited, disabled: disabled)
            }
        case .mapping(let mapping):
            for pair in mapping.pairs {
                let path = pattern.isEmpty ? pair.key : "\(pattern).\(pair.key)"
                let name = key.isEmpty ? pair.key : "\(key).\(pair.key)"
                if Self.attributes[path] != nil || (pair.key == "x-escale" && ["", "services.*", "volumes.*"].contains(pattern)) {
                    let isCovered = isInherited || !note(pair, path: path, key: name)
                    visit(pair.value, pattern: path, key: name, isInherited: isCovered, disabled: disabled)
                } else if Self.wildcards.contains(below), !(pattern == "services" && disabled.contains(pair.key)) {
                    visit(pair.value, pattern: below, key: name, isInherited: isInherited, disabled: disabled)
                }
            }
        }
    }

    /// Writes down what becomes of the key. `false` where what is inside it needs no word of its own.
    private mutating func note(_ pair: YAMLMapping.Pair, path: String, key: String) -> Bool {
        guard let treatment = Treatment.ofItself(path), !Self.asksForNothing(pair.value, Self.attributes[path]) else { return true }
        findings.append(Finding(key: key, position: pair.keyPosition, treatment: treatment))
        switch treatment {
        case .lost, .local: return false
        case .mapped, .approximated: return true
        }
    }

    private static func asksForNothing(_ value: YAMLNode, _ attribute: ComposeAttribute?) -> Bool {
        switch value.content {
        case .sequence(let items): items.isEmpty
        case .mapping(let mapping): mapping.pairs.isEmpty
        case .scalar(let scalar): value.isNull || attribute?.harmless.contains(scalar.text.lowercased()) == true
        }
    }

    // MARK: Values

    /// A value that the mapping found to be another case than its attribute in general.
    private mutating func add(_ note: MappingNote, in tree: YAMLNode) {
        var node = tree
        var position = tree.position
        for key in note.path {
            guard let pair = node.mapping?.pairs.first(where: { $0.key == key }) else { break }
            (node, position) = (pair.value, pair.keyPosition)
        }
        let treatment: Treatment = note.kind == .lost ? .lost(note.text) : .approximated("", difference: note.text)
        findings.append(Finding(key: note.path.joined(separator: "."), position: position, treatment: treatment))
    }
}

extension Coverage.Finding {
    /// As a problem of the file; `nil` for what needs no word.
    package var diagnostic: Diagnostic? {
        switch treatment {
        case .mapped, .local: nil
        case .lost(let why): Diagnostic(.warning, .init("kubernetes.lost"), "\(key) is lost in Kubernetes: \(why)", at: position)
        case .approximated(_, let difference):
            Diagnostic(.warning, .init("kubernetes.approximated"), "\(key) is approximated in Kubernetes: \(difference)", at: position)
        }
    }
}

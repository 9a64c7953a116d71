import EscaleCore
import EscaleYAML

/// A mapping whose keys were checked against ``ComposeAttribute/table``.
struct Section {
    let field: Field
    private let known: [String: Field]

    /// The attribute's value; `nil` where the file has none, or where an attribute that does nothing here is empty.
    subscript(_ name: String) -> Field? { known[name] }

    /// Whether an unknown key was reported that is likely to mean one of the names. One of them without a value is none.
    func misspells(_ names: String...) -> Bool {
        (field.node.mapping?.pairs ?? []).contains { pair in
            known[pair.key] == nil && !names.contains(pair.key)
                && Suggestion.nearest(to: pair.key, among: names) != nil
        }
    }

    fileprivate init(field: Field, known: [String: Field]) {
        self.field = field
        self.known = known
    }
}

extension Field {
    /// The value as a mapping with the attributes of the scope; reports every key that is not executed.
    func section(_ scope: ComposeAttribute.Scope, hint: String? = nil) -> Section? {
        guard let mapping = node.mapping else {
            mismatch("a mapping", hint: hint)
            return nil
        }
        let attributes = ComposeAttribute.attributes(of: scope)
        var known: [String: Field] = [:]
        for pair in mapping.pairs {
            var inner = Field(
                path: path.isEmpty ? pair.key : "\(path).\(pair.key)",
                node: pair.value,
                context: context,
                isCovered: isCovered
            )
            if let attribute = attributes[pair.key] {
                if attribute.isDormant, inner.warnIfEmpty() { continue }
                if inner.reports(attribute, at: pair.keyPosition) { inner.isCovered = true }
                known[pair.key] = inner
            } else if pair.key.hasPrefix("x-") {
                inner.checkExtension(pair, besides: attributes)
            } else {
                reportUnknown(pair, among: attributes, in: scope)
            }
        }
        return Section(field: self, known: known)
    }

    /// The value with its attributes as ``section(_:hint:)``; nothing, with a warning, where it is empty.
    func filledSection(_ scope: ComposeAttribute.Scope, hint: String? = nil) -> Section? {
        warnIfEmpty() ? nil : section(scope, hint: hint)
    }

    /// Other programs' data is passed over; what is meant for Escale but would be missed is not.
    private func checkExtension(_ pair: YAMLMapping.Pair, besides attributes: [String: ComposeAttribute]) {
        let own = "x-escale"
        if pair.key == own {
            context.error(
                "compose.x-escale",
                "\(path) has no meaning here",
                at: pair.keyPosition,
                hint: "x-escale belongs in a service, or at the top level of the file"
            )
        } else if attributes[own] != nil, Suggestion.nearest(to: pair.key, among: [own]) != nil {
            context.warning(
                "compose.x-escale",
                "\(path) has no effect",
                at: pair.keyPosition,
                hint: "did you mean \"\(own)\"?"
            )
        }
    }

    /// Whether nothing comes of the value, which is reported unless that was done already.
    private func reports(_ attribute: ComposeAttribute, at position: SourcePosition) -> Bool {
        switch attribute.status {
        case .executed, .accepted: return false
        case .warned(let instead):
            guard !isHarmless(attribute), !isCovered else { return isCovered }
            context.warning(
                "compose.attribute.ignored",
                "\(path) has no effect yet: \(instead)",
                at: position
            )
        case .refused(let hint):
            guard !isHarmless(attribute), !isCovered else { return isCovered }
            context.refuse("\(path) is not supported yet", at: position, hint: hint)
        }
        return true
    }

    /// Whether the value asks for nothing, or for what happens anyway.
    private func isHarmless(_ attribute: ComposeAttribute) -> Bool {
        switch node.content {
        case .sequence(let items): items.isEmpty
        case .mapping(let mapping): mapping.pairs.isEmpty
        case .scalar(let scalar):
            // As Field.boolean() reads the words of YAML 1.1.
            switch scalar.text.lowercased() {
            case "n", "no", "off": attribute.harmless.contains("false")
            case "y", "yes", "on": attribute.harmless.contains("true")
            case let text: attribute.harmless.contains(text)
            }
        }
    }

    private func reportUnknown(
        _ pair: YAMLMapping.Pair,
        among attributes: [String: ComposeAttribute],
        in scope: ComposeAttribute.Scope
    ) {
        let owner = path.isEmpty ? "a compose file" : path
        // Nobody reads hundreds of hints, and each takes time to find.
        let hint =
            context.diagnostics.count < 200 ? hint(forUnknown: pair, among: attributes, in: scope) : nil
        context.error(
            "compose.attribute.unknown",
            "\(owner) has no attribute \"\(pair.key)\"",
            at: pair.keyPosition,
            hint: hint
        )
    }

    private func hint(
        forUnknown pair: YAMLMapping.Pair,
        among attributes: [String: ComposeAttribute],
        in scope: ComposeAttribute.Scope
    ) -> String {
        let key = pair.key
        if let meant = Self.otherNames[key], attributes[meant] != nil { return "did you mean \"\(meant)\"?" }
        if let near = Suggestion.nearest(to: key, among: attributes.keys) {
            return "did you mean \"\(near)\"?"
        }
        if scope == .file, let inner = pair.value.mapping, inner["image"] != nil || inner["build"] != nil {
            return "services stand below `services:`; indent \"\(key)\" under it"
        }
        let elsewhere = ComposeAttribute.table.filter { $0.name == key && !$0.isDormant }.map(
            \.scope
        )
        if let place = elsewhere.min(by: { distance(to: $0) < distance(to: $1) }) {
            return place == .file
                ? "it belongs at the top level of the file, not inside \(path)"
                : "it belongs in \(spoken(place))"
        }
        // Of many, only those that do something.
        let names = attributes.values.filter { !$0.isDormant || attributes.count <= 12 }.map(\.name).sorted()
        return
            "known here: \(names.joined(separator: ", ")); your own data may go under a key that begins with x-"
    }

    /// How far away a place is: the top level is known to everybody, then what shares most of the path, then the
    /// shortest.
    private func distance(to scope: ComposeAttribute.Scope) -> (Int, Int) {
        guard scope != .file else { return (-.max, 0) }
        let parts = scope.rawValue.split(separator: ".")
        let shared = zip(path.split(separator: "."), parts).prefix { $0 == $1 || $1 == "*" }.count
        return (-shared, scope.rawValue.count)
    }

    /// The scope with this service's name in it, where there is one.
    private func spoken(_ scope: ComposeAttribute.Scope) -> String {
        var names = path.split(separator: ".").map(String.init)
        let parts = scope.rawValue.split(separator: ".").map(String.init)
        names = zip(names, parts).prefix { $0 == $1 || $1 == "*" }.map(\.0)
        return (names + parts.dropFirst(names.count)).map { $0 == "*" ? "NAME" : $0 }.joined(separator: ".")
    }

    /// What people write who come from `docker run` and elsewhere.
    private static let otherNames = [
        "env": "environment", "envs": "environment", "variables": "environment", "cmd": "command",
        "args": "command",
        "mount": "volumes", "mounts": "volumes", "publish": "ports", "workdir": "working_dir",
        "name": "container_name",
        "file": "path", "files": "path", "depends": "depends_on", "requires": "depends_on",
        "health": "healthcheck",
        "health_check": "healthcheck",
    ]
}

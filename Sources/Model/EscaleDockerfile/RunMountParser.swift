import EscaleCore

/// What is wrong with the value of `RUN --mount=`.
struct MountProblem {
    let message: String
    /// Where in the value, in characters.
    let offset: Int
    let hint: String?
}

/// Reads the value of `RUN --mount=`: `key=value` fields with commas between.
func parseMount(_ text: String) -> (mount: RunMount?, problems: [MountProblem]) {
    var parser = RunMountParser(text)
    return (parser.parse(), parser.problems)
}

private struct RunMountParser {
    /// `key=value`, or a key alone.
    struct Field {
        let key: String
        let value: String?
        let offset: Int
        /// Where the value begins.
        var valueOffset: Int { offset + key.count + 1 }
    }

    private let fields: [Field]
    private(set) var problems: [MountProblem] = []

    /// The keys that each kind knows, by their first name.
    private static let keys: [RunMount.Kind: Set<String>] = [
        .bind: ["target", "source", "from", "readonly", "readwrite"],
        .cache: ["target", "source", "from", "readonly", "readwrite", "id", "sharing", "mode", "uid", "gid"],
        .tmpfs: ["target", "readonly", "readwrite", "size"],
        .secret: [
            "target", "source", "readonly", "readwrite", "id", "env", "required", "mode", "uid", "gid",
        ],
        .ssh: ["target", "readonly", "readwrite", "id", "required", "mode", "uid", "gid"],
    ]

    private static let aliases = [
        "dst": "target", "destination": "target", "src": "source", "ro": "readonly", "rw": "readwrite",
    ]

    private static let allKeys = Array(Set(keys.values.joined()).union(aliases.keys).union(["type"])).sorted()

    init(_ text: String) {
        fields = csvFields(text).map { field in
            let parts = field.text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return Field(
                key: parts.first?.lowercased() ?? "",
                value: parts.count > 1 ? String(parts[1]) : nil,
                offset: field.offset
            )
        }
    }

    mutating func parse() -> RunMount? {
        guard let kind = kind() else { return nil }
        var mount = RunMount(kind)
        for field in fields where field.key != "type" { set(field, in: &mount) }
        if problems.isEmpty { checkWhole(mount) }
        if kind == .secret, let source = mount.source {
            // The older word for a secret's id.
            (mount.id, mount.source) = (source, nil)
        }
        return problems.isEmpty ? mount : nil
    }

    private mutating func report(_ message: String, _ offset: Int, hint: String? = nil) {
        problems.append(MountProblem(message: message, offset: offset, hint: hint))
    }

    private mutating func kind() -> RunMount.Kind? {
        guard let field = fields.last(where: { $0.key == "type" }) else { return .bind }
        let value = field.value?.lowercased() ?? ""
        if let kind = RunMount.Kind(rawValue: value) { return kind }
        let kinds = RunMount.Kind.allCases.map(\.rawValue)
        report(
            "there is no mount of type \"\(field.value ?? "")\"",
            field.value == nil ? field.offset : field.valueOffset,
            hint: nearest(value, to: kinds).map { "did you mean \($0)?" } ?? "it is \(spokenList(kinds))"
        )
        return nil
    }

    private mutating func set(_ field: Field, in mount: inout RunMount) {
        let name = Self.aliases[field.key] ?? field.key
        guard let known = Self.keys[mount.kind], known.contains(name) else {
            return refuse(field, mount.kind)
        }
        switch name {
        case "readonly": mount.isReadOnly = boolean(field) ?? mount.isReadOnly
        case "readwrite": mount.isReadOnly = boolean(field).map { !$0 } ?? mount.isReadOnly
        case "required": mount.isRequired = boolean(field) ?? mount.isRequired
        default:
            guard let value = field.value, !value.isEmpty || name == "from" else {
                return report("\(field.key) needs a value", field.offset, hint: "write \(field.key)=value")
            }
            set(name, to: value, field, in: &mount)
        }
    }

    private mutating func set(_ name: String, to value: String, _ field: Field, in mount: inout RunMount) {
        switch name {
        case "target": mount.target = value
        case "source": mount.source = value
        case "from": mount.from = value.isEmpty ? nil : value
        case "id": mount.id = value
        case "env": mount.environment = value
        case "sharing": mount.sharing = sharing(value, field) ?? mount.sharing
        case "mode": mount.mode = number(value, field, "an octal number such as 0400", isOctal)
        case "uid": mount.uid = number(value, field, "a number", isID)
        case "gid": mount.gid = number(value, field, "a number", isID)
        default: mount.size = number(value, field, "a number of bytes such as 64m", isSize)
        }
    }

    private mutating func refuse(_ field: Field, _ kind: RunMount.Kind) {
        let name = Self.aliases[field.key] ?? field.key
        guard !field.key.isEmpty else {
            return report(
                field.value == nil ? "there is a comma too many" : "a key is missing before =",
                field.offset
            )
        }
        guard Self.allKeys.contains(name) else {
            let near = nearest(field.key, to: Self.allKeys)
            return report(
                "there is no key \"\(field.key)\"",
                field.offset,
                hint: near.map { "did you mean \($0)?" }
            )
        }
        let others = Self.keys.filter { $0.value.contains(name) }.map(\.key.rawValue).sorted()
        report(
            "a mount of type \(kind.rawValue) has no \(field.key)",
            field.offset,
            hint: "\(field.key) goes with type=\(spokenList(others))"
        )
    }

    /// A key alone is true.
    private mutating func boolean(_ field: Field) -> Bool? {
        guard let text = field.value else { return true }
        if let value = Bool(goText: text) { return value }
        report("\(field.key) is true or false, not \"\(text)\"", field.valueOffset)
        return nil
    }

    private mutating func sharing(_ value: String, _ field: Field) -> RunMount.Sharing? {
        if let sharing = RunMount.Sharing(rawValue: value.lowercased()) { return sharing }
        let all = RunMount.Sharing.allCases.map(\.rawValue)
        report(
            "sharing can't be \"\(value)\"",
            field.valueOffset,
            hint: nearest(value, to: all).map { "did you mean \($0)?" } ?? "it is \(spokenList(all))"
        )
        return nil
    }

    /// The value, which may hold variables, else must pass.
    private mutating func number(
        _ value: String,
        _ field: Field,
        _ wanted: String,
        _ isRight: (String) -> Bool
    ) -> String? {
        if value.contains("$") || isRight(value) { return value }
        report("\(field.key) is \(wanted), not \"\(value)\"", field.valueOffset)
        return nil
    }

    /// What only the whole can tell.
    private mutating func checkWhole(_ mount: RunMount) {
        switch mount.kind {
        case .bind, .cache, .tmpfs:
            guard let target = mount.target else {
                return report(
                    "a mount of type \(mount.kind.rawValue) needs a target",
                    0,
                    hint: "add target=/path"
                )
            }
            let parts = target.split(separator: "/")
            if target.hasPrefix("/"), parts.allSatisfy({ $0 == "." || $0 == ".." }) {
                report("the target can't be /", fields.first { ($0.value ?? "") == target }?.valueOffset ?? 0)
            }
        case .secret:
            if mount.id == nil && mount.source == nil && mount.target == nil {
                report(
                    "a mount of type secret needs an id or a target",
                    0,
                    hint: "add id= and the secret's name"
                )
            } else if mount.id != nil && mount.source != nil {
                report("id and source mean the same for a secret, so only one of them can be given", 0)
            }
        case .ssh: break
        }
    }
}

private func isID(_ text: String) -> Bool { UInt32(text) != nil && text.first != "+" }

private func isSize(_ text: String) -> Bool { ByteCount(compose: text) != nil }

/// Fields with commas between; one in double quotes may hold commas, and `""` for a quote.
private func csvFields(_ text: String) -> [(text: String, offset: Int)] {
    var fields: [(text: String, offset: Int)] = []
    var field = ""
    var start = 0
    var isQuoted = false
    let characters = Array(text)
    var index = 0
    while index < characters.count {
        let character = characters[index]
        if character == "\"" {
            if isQuoted, index + 1 < characters.count, characters[index + 1] == "\"" {
                field.append("\"")
                index += 1
            } else {
                if field.isEmpty, !isQuoted { start = index + 1 }
                isQuoted.toggle()
            }
        } else if character == ",", !isQuoted {
            fields.append((field, start))
            field = ""
            start = index + 1
        } else {
            field.append(character)
        }
        index += 1
    }
    return fields + [(field, start)]
}

import EscaleCore
import EscaleYAML

/// A value of the file with its path in it; reads it as one type or another and reports what does not fit.
struct Field {
    /// Such as `services.web.ports[0]`.
    let path: String
    let node: YAMLNode
    let context: LoadContext
    /// Whether a warning or an error says already that nothing comes of the value; its parts needn't be told apart then.
    var isCovered = false

    var position: SourcePosition { node.position }
    var isNull: Bool { node.isNull }
    var isScalar: Bool { node.scalar != nil }
    var isList: Bool { node.sequence != nil }
    var isMapping: Bool { node.mapping != nil }

    /// Whether it is a mapping with the key.
    func has(_ key: String) -> Bool { node.mapping?[key] != nil }

    func error(_ code: String, _ message: String, hint: String? = nil) {
        context.error(code, message, at: position, hint: hint)
    }

    func warning(_ code: String, _ message: String, hint: String? = nil) {
        context.warning(code, message, at: position, hint: hint)
    }

    /// Reports a value of the wrong type.
    func mismatch(_ expected: String, hint: String? = nil) {
        error(
            "compose.type",
            node.isNull
                ? "\(path) is empty; it must be \(expected)"
                : "\(path) must be \(expected), not \(node.spokenKind)",
            hint: hint
        )
    }

    /// The variable as the value's file has it: an included file may have variables of its own.
    func variable(_ name: String) -> String? { context.scope(of: position).variables[name] }

    /// A path of this value's made absolute against the directory that belongs to its file, `~` meaning the home
    /// directory. As it is where paths are left alone.
    func resolve(_ path: String) -> String {
        guard context.resolvesPaths else { return path }
        if let absolute = context.absolute(path, in: context.scope(of: position).directory) {
            return absolute
        }
        error(
            "compose.path.home",
            "\(self.path): \"\(path)\" names no directory",
            hint: "~/ is the home directory and needs HOME to be set; else write the path out"
        )
        return path
    }

    /// A path of this value's that is looked at during the load, made absolute also where paths are left alone.
    func located(_ path: String) -> String {
        context.absolute(path, in: context.scope(of: position).directory) ?? resolve(path)
    }

    // MARK: Scalars

    /// Text, or a number as it was written. Booleans need quotes, since `yes` and `true` are easily confused.
    func text(hint: String? = nil) -> String? {
        switch node.resolved {
        case .string(let text): return text
        case .int, .float: return node.scalar?.text
        case .bool:
            mismatch("text", hint: "put it in quotes: \"\(node.scalar?.text ?? "")\"")
            return nil
        case .null, nil:
            mismatch("text", hint: hint)
            return nil
        }
    }

    /// Text that is not empty.
    func filledText(hint: String? = nil) -> String? {
        guard let text = text(hint: hint) else { return nil }
        guard !text.isEmpty else {
            error(
                "compose.empty",
                "\(path) is an empty text",
                hint: hint ?? "give a value, or remove the line"
            )
            return nil
        }
        return text
    }

    /// A whole number within the range; text of digits is one too.
    func integer(in range: ClosedRange<Int>) -> Int? {
        let value: Int? =
            switch node.resolved {
            case .int(let value): Int(exactly: value)
            case .string(let text): Int(text)
            case .null, .bool, .float, nil: nil
            }
        guard let value else {
            mismatch("a whole number")
            return nil
        }
        guard range.contains(value) else {
            let bounds =
                range.upperBound == .max
                ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            error("compose.range", "\(path) is \(value); it must be \(bounds)")
            return nil
        }
        return value
    }

    /// `true` or `false`; the words of YAML 1.1 count with a warning, as in Docker Compose.
    func boolean() -> Bool? {
        if case .bool(let value) = node.resolved { return value }
        let word = node.scalar?.text.lowercased() ?? ""
        switch word {
        case "true": return true
        case "false": return false
        case "y", "yes", "on", "n", "no", "off":
            let value = ["y", "yes", "on"].contains(word)
            warning(
                "compose.boolean",
                "\(path): \"\(word)\" is text in YAML 1.2; it is read as \(value)",
                hint: "write \(value)"
            )
            return value
        default:
            mismatch("true or false")
            return nil
        }
    }

    /// A duration such as `1m30s`.
    func duration() -> Duration? {
        let example = "write a number with a unit, such as 500ms, 10s or 1m30s"
        guard let text = quantity(of: "a duration", hint: example) else { return nil }
        if let duration = Duration(compose: text) { return duration }
        error("compose.duration", "\(path): \"\(text)\" is not a duration", hint: example)
        return nil
    }

    /// A number of bytes such as `64m`.
    func bytes() -> ByteCount? {
        let example = "write a number with a unit, such as 512k, 64m or 1g; without one it counts bytes"
        guard let text = quantity(of: "a size", hint: example) else { return nil }
        if let size = ByteCount(compose: text) { return size }
        error("compose.size", "\(path): \"\(text)\" is not a size", hint: example)
        return nil
    }

    /// Text or a number, which a unit may follow.
    private func quantity(of what: String, hint: String) -> String? {
        switch node.resolved {
        case .string, .int, .float: return node.scalar?.text
        case .bool, .null, nil:
            mismatch(what, hint: hint)
            return nil
        }
    }

    // MARK: Collections

    /// The items of a list; an empty value is an empty list with a warning.
    func items(hint: String? = nil) -> [Field]? {
        if warnIfEmpty() { return [] }
        guard let items = node.sequence else {
            mismatch("a list", hint: hint)
            return nil
        }
        return items.enumerated().map { index, item in
            Field(path: "\(path)[\(index)]", node: item, context: context, isCovered: isCovered)
        }
    }

    /// The values of a mapping with their keys and where those stand; an empty value is an empty mapping.
    func members(hint: String? = nil) -> [Member]? {
        if warnIfEmpty() { return [] }
        guard let mapping = node.mapping else {
            mismatch("a mapping", hint: hint)
            return nil
        }
        return mapping.pairs.map { pair in
            Member(
                key: pair.key,
                position: pair.keyPosition,
                value: Field(
                    path: "\(path).\(pair.key)",
                    node: pair.value,
                    context: context,
                    isCovered: isCovered
                )
            )
        }
    }

    struct Member {
        let key: String
        let position: SourcePosition
        let value: Field
    }

    /// One text, or a list of them.
    func texts() -> [Field]? { node.scalar != nil && !node.isNull ? [self] : items() }

    /// `KEY: value` pairs, or a list of `KEY=value`; a key without a value has `nil`. Of a
    /// list's items with the same key the last one counts, with a warning.
    func keyValues(example: String) -> [(key: String, value: String?)]? {
        placedKeyValues(example: example)?.map { ($0.key, $0.value) }
    }

    /// The same with the places where they stand.
    func placedKeyValues(example: String) -> [(key: String, value: String?, position: SourcePosition)]? {
        var pairs: [(key: String, value: String?, position: SourcePosition)] = []
        var places: [String: Int] = [:]
        func add(_ key: String, _ value: String?, at position: SourcePosition) {
            if key.isEmpty {
                context.error(
                    "compose.key",
                    "\(path): a name is missing before the '='",
                    at: position,
                    hint: example
                )
            } else if key.contains("=") {
                context.error(
                    "compose.key",
                    "\(path): a name can't contain '=': \"\(key)\"",
                    at: position,
                    hint: example
                )
            } else if let place = places[key] {
                context.warnOfTwo(key, in: path, at: position)
                pairs[place] = (key, value, position)
            } else {
                places[key] = pairs.count
                pairs.append((key, value, position))
            }
        }
        if warnIfEmpty() { return [] }
        if node.sequence != nil {
            for item in items() ?? [] {
                guard let text = item.text(hint: example) else { continue }
                let cut = text.firstIndex(of: "=")
                add(
                    String(text[..<(cut ?? text.endIndex)]),
                    cut.map { String(text[text.index(after: $0)...]) },
                    at: item.position
                )
            }
            return pairs
        }
        guard node.mapping != nil else {
            mismatch("a mapping or a list of KEY=value", hint: example)
            return nil
        }
        for member in members() ?? [] {
            switch member.value.node.resolved {
            case nil: member.value.mismatch("text, a number or a boolean", hint: example)
            case .null: add(member.key, nil, at: member.position)
            case .string, .int, .float, .bool:
                add(member.key, member.value.node.scalar?.text, at: member.position)
            }
        }
        return pairs
    }

    /// Whether the value is empty, which is reported.
    func warnIfEmpty() -> Bool {
        guard node.isNull else { return false }
        warning("compose.empty", "\(path) is empty", hint: "remove the line, or put something below it")
        return true
    }
}

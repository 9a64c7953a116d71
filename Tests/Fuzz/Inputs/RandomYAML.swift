import EscaleCompose
import EscaleTestSupport

/// Text that is YAML, nearly always: any tree, or one of the specification's attributes.
enum RandomYAML {
    /// A tree of any shape in a random style.
    static func any(_ random: inout Seeded) -> String {
        var writer = RandomYAMLWriter()
        writer.write(tree(depth: 0, &random), &random)
        return writer.text
    }

    /// A compose file: attributes where they belong, with values of any kind.
    static func compose(_ random: inout Seeded) -> String {
        var writer = RandomYAMLWriter()
        writer.write(section(.file, depth: 0, &random), &random)
        return writer.text
    }

    indirect enum Tree {
        case scalar(String)
        case list([Tree])
        case map([(key: String, value: Tree)])
    }

    private static func tree(depth: Int, _ random: inout Seeded) -> Tree {
        let kinds = depth > 5 ? 1 : 5
        switch Int.random(in: 0..<kinds, using: &random) {
        case 1, 2: return .list(several(&random) { tree(depth: depth + 1, &$0) })
        case 3, 4: return .map(several(&random) { (word(&$0), tree(depth: depth + 1, &$0)) })
        default: return .scalar(word(&random))
        }
    }

    private static func several<Item>(_ random: inout Seeded, _ make: (inout Seeded) -> Item) -> [Item] {
        (0..<Int.random(in: 0...4, using: &random)).map { _ in make(&random) }
    }

    private static func word(_ random: inout Seeded) -> String {
        random.once(in: 3) ? random.one(of: Mutation.tokens) : random.one(of: values)
    }

    // MARK: Compose files

    private static let names: [ComposeAttribute.Scope: [String]] = Dictionary(
        grouping: ComposeAttribute.table, by: \.scope
    ).mapValues { $0.map(\.name).sorted() }

    private static func section(_ scope: ComposeAttribute.Scope, depth: Int, _ random: inout Seeded) -> Tree {
        var members: [(key: String, value: Tree)] = []
        if scope == .file { members.append(("services", value(of: "services", in: scope, depth: 1, &random))) }
        let known = names[scope] ?? []
        guard !known.isEmpty else { return tree(depth: 4, &random) }
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let name = random.one(of: known)
            if !members.contains(where: { $0.key == name }) {
                members.append((name, value(of: name, in: scope, depth: depth + 1, &random)))
            }
        }
        return .map(members)
    }

    /// A section where the specification has one, or any other value.
    private static func value(
        of name: String, in scope: ComposeAttribute.Scope, depth: Int, _ random: inout Seeded
    ) -> Tree {
        let path = scope == .file ? name : "\(scope.rawValue).\(name)"
        guard depth < 8, !random.once(in: 6) else { return tree(depth: 4, &random) }
        if let inner = ComposeAttribute.Scope(rawValue: path), !random.once(in: 6) {
            return section(inner, depth: depth, &random)
        }
        if let inner = ComposeAttribute.Scope(rawValue: path + ".*") {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: return .list(several(&random) { .scalar(word(&$0)) })
            case 1 where depth > 1: return .list(several(&random) { section(inner, depth: depth + 1, &$0) })
            default:
                return .map(several(&random) { ($0.one(of: keys), section(inner, depth: depth + 1, &$0)) })
            }
        }
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1: return .list(several(&random) { .scalar($0.one(of: values)) })
        case 2: return .map(several(&random) { ($0.one(of: keys), .scalar($0.one(of: values))) })
        default: return .scalar(random.one(of: values))
        }
    }

    private static let keys = ["web", "db", "default", "data", "front", "token", "A", "B", "com.example.a", "x-a"]

    /// Values that attributes take.
    private static let values = keys + [
        "80", "8080:80", "127.0.0.1:81-82:81-82/udp", "1h30m", "10s", "64m", "1gb", "0440", "on", "true", "false",
        "./a:/b:ro", "data:/data", "/x", "A=1", "A", "${A:-b}", "$TAG", "nginx:1.27", "service:db", "unless-stopped",
        "service_healthy", "bind", "volume", "tcp", "0.5", "3", "-1", "root", "1000:1000", "SIGTERM", "./base.yaml",
        "app.env", "web:80", "10.0.0.0/24", "always", "host", "none", "CMD", "curl -f localhost", "", "a b c",
    ]
}

/// `docs/reference/compose.md`, from the table that the loader goes by. A test compares the checked-in page with it.
package enum AttributePage {
    package static func markdown() -> String {
        var text = """
            # Attributes of a compose file

            <!-- Written by the tests from the loader's own table: UPDATE_GOLDEN=1 swift test --filter AttributePage -->

            What Escale does with each attribute of the [Compose Specification](https://compose-spec.io). `*` stands for a
            name, or for an item of a list.

            | status | meaning |
            |---|---|
            | executed | does what the specification says |
            | accepted | has nothing to do here, and leaving it out changes nothing |
            | warned | is read and checked, and then has no effect: one warning says what happens instead |
            | refused | is read and checked, and is an error: running without it would break the application, put its data elsewhere, or confine it less than its file says |

            `escale config` prints all of them. With `--strict` every warning is an error. An unknown attribute is an error
            with a suggestion; keys that begin with `x-` are for other programs, but for
            [`x-escale`](x-escale.md).

            \(counts())


            """
        for group in groups { text += section(group) }
        return text
    }

    private struct Group {
        let title: String
        let scopes: [ComposeAttribute.Scope]
    }

    /// By the first two parts of the path; those of Escale's own have a page of their own.
    private static let groups: [Group] = {
        var groups: [(title: String, scopes: [ComposeAttribute.Scope])] = []
        for scope in ComposeAttribute.Scope.allCases where !scope.isOwn {
            let title = scope.rawValue.split(separator: ".").first.map { "`\($0)`" } ?? "The top level"
            if let index = groups.firstIndex(where: { $0.title == title }) {
                groups[index].scopes.append(scope)
            } else {
                groups.append((title, [scope]))
            }
        }
        return groups.map(Group.init)
    }()

    private static func counts() -> String {
        let attributes = ComposeAttribute.table.filter { !$0.scope.isOwn }
        let counts = ["executed", "accepted", "warned", "refused"].map { word in
            "\(attributes.count { $0.status.word == word }) \(word)"
        }
        return "Of \(attributes.count) attributes, \(Field.listed(counts))."
    }

    private static func section(_ group: Group) -> String {
        let attributes = group.scopes.flatMap { scope in
            ComposeAttribute.table.filter { $0.scope == scope && $0.name != "x-escale" }
        }
        let rows = attributes.sorted { $0.path < $1.path }.map { attribute in
            "| `\(attribute.path)` | \(attribute.status.word) | \(happening(attribute)) |\n"
        }
        return "## \(group.title)\n\n| attribute | status | what happens |\n|---|---|---|\n\(rows.joined())\n"
    }

    private static func happening(_ attribute: ComposeAttribute) -> String {
        let text =
            switch attribute.status {
            case .executed: "as specified"
            case .accepted(let why): why
            case .warned(let instead): instead
            case .refused(let hint): "stops `escale up`: \(hint)"
            }
        guard !attribute.harmless.isEmpty else { return text.replacing("|", with: "\\|") }
        let values = attribute.harmless.sorted().map { "`\($0)`" }
        return "\(text); no word about \(Field.listed(values))".replacing("|", with: "\\|")
    }
}

extension ComposeAttribute.Status {
    /// What the documentation calls it.
    package var word: String {
        switch self {
        case .executed: "executed"
        case .accepted: "accepted"
        case .warned: "warned"
        case .refused: "refused"
        }
    }
}

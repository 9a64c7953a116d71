import EscaleNetlink

/// An nftables table of one kind's rules as a value: two of them can be compared, and one made into the other.
package struct PacketTable: Hashable, Sendable {
    /// A named set, or with `verdicts` a map from its elements to where a packet goes on.
    struct Elements: Hashable, Sendable {
        enum Kind: String, Hashable, Sendable { case set, map }

        let kind: Kind
        let name: String
        let type: String
        var isInterval = false
        /// As nft writes them, in order, each once. Those of a map are `key : verdict`.
        let elements: [String]

        static func set(_ name: String, _ type: String, interval: Bool = false, _ elements: [String]) -> Elements {
            Elements(kind: .set, name: name, type: type, isInterval: interval, elements: Set(elements).sorted())
        }

        static func map(_ name: String, _ type: String, _ elements: [String]) -> Elements {
            Elements(kind: .map, name: name, type: "\(type) : verdict", elements: Set(elements).sorted())
        }
    }

    struct Chain: Hashable, Sendable {
        let name: String
        /// Where packets come in, as after `type`; `nil` for a chain that others lead to.
        var hook: String?
        let rules: [String]
    }

    let family: AddressFamily
    let name: String
    let elements: [Elements]
    let chains: [Chain]

    /// What commands call it.
    private var place: String { "\(family.tableFamily) \(name)" }

    /// A command that takes a table away, if it is there.
    static func removal(of name: String, _ family: AddressFamily) -> String {
        "add table \(family.tableFamily) \(name)\ndelete table \(family.tableFamily) \(name)\n"
    }

    /// Commands that put the table in the place of one of this name, whatever that holds, in one transaction.
    ///
    /// A packet on its way through may meet the new chains before they hold and the old ones when they no longer do:
    /// it then passes as if there were no table. ``changes(from:)`` is free of that.
    package var replacement: String {
        let blocks = elements.map(\.declaration) + chains.map(\.declaration)
        return Self.removal(of: name, family) + "table \(place) {\n" + blocks.joined(separator: "\n") + "}\n"
    }

    /// Commands that make the other table into this one in one transaction, touching only where they differ; empty
    /// where they don't. `nil` if that needs a ``replacement``: hooks and the sets themselves stay as they were made.
    package func changes(from old: PacketTable) -> String? {
        guard old.family == family, old.name == name, old.elements.map(\.shape) == elements.map(\.shape) else { return nil }
        let before = Dictionary(old.chains.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let names = Set(chains.map(\.name))
        let gone = old.chains.filter { !names.contains($0.name) }
        var made: [String] = []
        var filled: [String] = []
        for chain in chains {
            let known = before[chain.name]
            if known == chain { continue }
            guard chain.hook == known?.hook else { return nil }
            made.append(known == nil ? "add chain \(place) \(chain.name)" : "flush chain \(place) \(chain.name)")
            filled += chain.rules.map { "add rule \(place) \(chain.name) \($0)" }
        }
        if gone.contains(where: { $0.hook != nil }) { return nil }
        let moved = zip(old.elements, elements).flatMap { $1.changes(from: $0, in: place) }
        let lines = made + filled + moved + gone.map { "delete chain \(place) \($0.name)" }
        return lines.map { $0 + "\n" }.joined()
    }
}

extension PacketTable.Elements {
    fileprivate var shape: [String] { [kind.rawValue, name, type, "\(isInterval)"] }

    fileprivate var declaration: String {
        var text = "  \(kind.rawValue) \(name) {\n    type \(type)\n"
        if isInterval { text += "    flags interval\n" }
        if !elements.isEmpty { text += "    elements = \(Self.list(elements))\n" }
        return text + "  }\n"
    }

    fileprivate func changes(from old: Self, in table: String) -> [String] {
        if old == self { return [] }
        let place = "\(table) \(name)"
        // One transaction can't take an interval away and add another that overlaps it.
        if isInterval {
            return ["flush set \(place)"]
                + (elements.isEmpty ? [] : ["add element \(place) \(Self.list(elements))"])
        }
        let kept = Set(old.elements).intersection(elements)
        let over = old.elements.filter { !kept.contains($0) }
        let new = elements.filter { !kept.contains($0) }
        return (over.isEmpty ? [] : ["delete element \(place) \(Self.list(over))"])
            + (new.isEmpty ? [] : ["add element \(place) \(Self.list(new))"])
    }

    private static func list(_ elements: [String]) -> String { "{ " + elements.joined(separator: ", ") + " }" }
}

extension PacketTable.Chain {
    fileprivate var declaration: String {
        let lines = (hook.map { ["type \($0); policy accept;"] } ?? []) + rules
        return "  chain \(name) {\n" + lines.map { "    \($0)\n" }.joined() + "  }\n"
    }
}

import EscaleCore
import EscaleYAML

/// The services of one document with what they take over by `extends`.
///
/// A class, since a service is worked out once and then taken by all that extend it. Lives for one load.
final class ServiceSet {
    private let shown: String
    private let scope: FileScope?
    // The library keeps the sets of other files; whoever loads keeps the library.
    private unowned let library: ServiceLibrary
    private let services: [String: YAMLNode]
    private var extended: [String: YAMLNode] = [:]
    private var context: LoadContext { library.context }

    init(of root: YAMLNode, shown: String, _ scope: FileScope?, _ library: ServiceLibrary) {
        self.shown = shown
        self.scope = scope
        self.library = library
        services = Dictionary(
            (root.mapping?["services"]?.mapping?.pairs ?? []).map { ($0.key, $0.value) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// The document with its services extended.
    func extendedRoot(_ root: YAMLNode) -> YAMLNode {
        guard services.values.contains(where: { $0.mapping?["extends"] != nil }) else { return root }
        return root.replacing("services") { section in
            guard let mapping = section.mapping else { return section }
            let pairs = mapping.pairs.map { pair in
                YAMLMapping.Pair(
                    key: pair.key,
                    keyPosition: pair.keyPosition,
                    value: service(pair.key, []) ?? pair.value
                )
            }
            return YAMLNode(.mapping(YAMLMapping(pairs)), at: section.position, tag: section.tag)
        }
    }

    /// A step of a chain of services that extend one another.
    struct Link {
        let set: ServiceSet
        let name: String
        let position: SourcePosition
    }

    /// The service with all that it takes over; one whose base can't be had keeps its `extends`.
    private func service(_ name: String, _ chain: [Link]) -> YAMLNode? {
        if let known = extended[name] { return known }
        guard let own = services[name] else { return nil }
        guard let field = own.mapping?["extends"], !MergeTags.isReset(field) else { return own }
        let reader = Field(path: "services.\(name).extends", node: field, context: context)
        if reader.warnIfEmpty() {
            extended[name] = own.removing("extends")
            return extended[name]
        }
        let node = base(of: name, reader, chain).map { base in
            context.history.note(
                .init(reason: .extends, position: field.position, value: field.scalar?.text),
                at: "services.\(name)"
            )
            let later = own.removing("extends")
            return TreeMerge(context: context).merge(
                MergeTags.settled(base) ?? base,
                later,
                .service,
                at: "services.\(name)"
            )
        }
        extended[name] = node ?? own
        return node ?? own
    }

    private func base(of name: String, _ field: Field, _ chain: [Link]) -> YAMLNode? {
        guard let reference = ExtendsReference(field) else { return nil }
        let chain = chain + [Link(set: self, name: name, position: field.position)]
        var set = self
        if let file = reference.file {
            guard let other = library.services(of: file, for: scope) else { return nil }
            set = other
        }
        guard set.services[reference.service] != nil else {
            reportUnknown(reference, in: set)
            return nil
        }
        if let first = chain.firstIndex(where: { $0.set === set && $0.name == reference.service }) {
            report(cycle: Array(chain[first...]), at: field.position)
            return nil
        }
        guard chain.count < LoadBudget.depth else {
            context.error(
                "compose.extends.depth",
                "more than \(LoadBudget.depth) services extend one another in a row",
                at: field.position,
                hint: "extend the first one directly"
            )
            return nil
        }
        return set.service(reference.service, chain)
    }

    private func reportUnknown(_ reference: ExtendsReference, in set: ServiceSet) {
        let near = Suggestion.nearest(to: reference.service, among: set.services.keys)
        let names = set.services.keys.sorted()
        context.error(
            "compose.extends.unknown",
            "\(set.shown) has no service \"\(reference.service)\" to extend",
            at: reference.position,
            hint: near.map { "did you mean \"\($0)\"?" }
                ?? (names.isEmpty
                    ? "it has no services at all"
                    : "its services are: \(names.prefix(20).joined(separator: ", "))")
        )
    }

    private func report(cycle: [Link], at position: SourcePosition) {
        let isLocal = cycle.allSatisfy { $0.set.shown == shown }
        let names = (cycle + cycle.prefix(1)).map { isLocal ? $0.name : "\($0.name) in \($0.set.shown)" }
            .joined(separator: " → ")
        context.error(
            "compose.extends.cycle",
            cycle.count == 1
                ? "a service extends itself: \(names)" : "services extend each other in a circle: \(names)",
            at: position,
            hint: "remove one of these: \(cycle.map(\.position.description).joined(separator: ", "))"
        )
    }
}

/// Which service one extends.
struct ExtendsReference {
    let service: String
    /// Where the service's name stands.
    let position: SourcePosition
    /// The file that has it, `nil` for the same one.
    let file: Field?

    /// Reads `extends`; `nil` for what names no service, which is reported.
    init?(_ field: Field) {
        let example = "name a service: extends: base, or extends: {file: common.yaml, service: base}"
        if field.isScalar {
            guard let name = field.filledText(hint: example) else { return nil }
            self.init(service: name, position: field.position, file: nil)
            return
        }
        guard let section = field.section(.extends, hint: example) else { return nil }
        guard let name = section["service"] else {
            field.error("compose.extends.service", "\(field.path) has no `service`", hint: example)
            return nil
        }
        let file = section["file"]
        guard let service = name.filledText(hint: example), file == nil || file?.filledText() != nil else {
            return nil
        }
        self.init(service: service, position: name.position, file: file)
    }

    private init(service: String, position: SourcePosition, file: Field?) {
        self.service = service
        self.position = position
        self.file = file
    }
}

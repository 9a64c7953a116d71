/// How the values of one place are merged, and those below it: the Compose Specification's rules as a tree.
final class MergeRule: Sendable {
    enum Kind: Sendable {
        /// Mappings merge, lists append, all else is replaced.
        case usual
        /// The later value replaces the earlier one whole.
        case replace
        /// Mappings merge, all else is replaced, also by a value of another kind.
        case replaceUnlessMappings
        /// `KEY: value` or a list of `KEY=value`; a key's later value counts.
        case keyValues
        /// `HOST: address` or a list of `HOST=address`; a host may have several addresses.
        case hosts
        /// One text, or a list.
        case texts
        /// A directory, or a mapping with `context`.
        case build
        /// A mapping, or a list of its keys.
        case keys(dependsOn: Bool)
        /// Mappings merge if both name the same driver or one names none.
        case logging
        /// Items with a subnet that the earlier list has merge with those; the later list counts.
        case subnets
    }

    let kind: Kind
    /// What makes an item of a list the same as another, so that it takes its place.
    let identity: ItemIdentity?
    private let named: [String: MergeRule]
    private let any: MergeRule?

    init(
        _ kind: Kind = .usual,
        unique identity: ItemIdentity? = nil,
        any: MergeRule? = nil,
        inside named: [String: MergeRule] = [:]
    ) {
        self.kind = kind
        self.identity = identity
        self.any = any
        self.named = named
    }

    func child(_ key: String) -> MergeRule { named[key] ?? any ?? Self.usual }

    static let usual = MergeRule()

    /// The rules of a whole compose file.
    static let file = MergeRule(inside: [
        "services": MergeRule(any: service),
        "networks": MergeRule(
            any: MergeRule(inside: [
                "labels": keyValues,
                "external": MergeRule(.replaceUnlessMappings),
                "ipam": MergeRule(inside: ["config": MergeRule(.subnets)]),
            ])
        ),
        "volumes": MergeRule(any: resource), "configs": MergeRule(any: resource),
        "secrets": MergeRule(any: resource),
    ])

    private static let resource = MergeRule(inside: [
        "labels": keyValues, "external": MergeRule(.replaceUnlessMappings),
    ])
    private static let keyValues = MergeRule(.keyValues)
    private static let uniqueTexts = MergeRule(unique: .text)

    /// The rules of one service; `extends` goes by them too.
    static let service = MergeRule(inside: [
        "annotations": keyValues, "environment": keyValues, "labels": keyValues, "sysctls": keyValues,
        "command": MergeRule(.replace), "entrypoint": MergeRule(.replace),
        "healthcheck": MergeRule(inside: ["test": MergeRule(.replace)]),
        "build": MergeRule(
            .build,
            inside: [
                "additional_contexts": keyValues, "args": keyValues, "labels": keyValues,
                "extra_hosts": MergeRule(.hosts), "platforms": uniqueTexts, "tags": uniqueTexts,
            ]
        ),
        "deploy": MergeRule(inside: ["labels": keyValues]),
        "depends_on": MergeRule(.keys(dependsOn: true)),
        "networks": MergeRule(
            .keys(dependsOn: false),
            any: MergeRule(inside: ["aliases": uniqueTexts, "link_local_ips": uniqueTexts])
        ),
        "models": MergeRule(.keys(dependsOn: false)),
        "dns": MergeRule(.texts, unique: .text), "dns_opt": MergeRule(.texts, unique: .text),
        "dns_search": MergeRule(.texts, unique: .text),
        "env_file": MergeRule(.texts, unique: .path), "label_file": MergeRule(.texts, unique: .path),
        "tmpfs": MergeRule(.texts, unique: .tmpfs),
        "extra_hosts": MergeRule(.hosts),
        "logging": MergeRule(.logging),
        "ulimits": MergeRule(any: MergeRule(.replaceUnlessMappings)),
        "cap_add": uniqueTexts, "cap_drop": uniqueTexts, "expose": uniqueTexts, "links": uniqueTexts,
        "profiles": uniqueTexts,
        "ports": MergeRule(unique: .port),
        "volumes": MergeRule(unique: .mount), "devices": MergeRule(unique: .device),
        "configs": MergeRule(unique: .file(below: "/")),
        "secrets": MergeRule(unique: .file(below: "/run/secrets")),
    ])
}

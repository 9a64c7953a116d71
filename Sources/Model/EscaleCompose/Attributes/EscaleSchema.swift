import EscaleYAML

/// The JSON Schema of `x-escale`, for editors: `docs/reference/x-escale.schema.json`.
///
/// It describes a whole compose file of which it knows only `x-escale`, so that it stands beside the Compose
/// Specification's own schema.
package enum EscaleSchema {
    package static let text = JSONWriter.text(tree)

    private static let tree: YAMLValue = .map([
        .init("$schema", .string("http://json-schema.org/draft-07/schema#")),
        .init("title", .string("x-escale in a compose file")),
        .init("description", .string("How Escale releases services and serves them over HTTP")),
        .init("type", .string("object")),
        .init(
            "properties",
            .map([
                .init("x-escale", ValueShape.section(.fileEscale).schema),
                .init("volumes", members(.map([.init("properties", .map([.init("x-escale", ValueShape.section(.volumeEscale).schema)]))]))),
                .init("services", members(.map([.init("properties", .map([.init("x-escale", ValueShape.section(.serviceEscale).schema)]))]))),
            ])
        ),
        .init("definitions", .map(scopes.map { .init($0.rawValue, section($0)) } + [ValueShape.variable])),
    ])

    /// Every scope that belongs to `x-escale`, in the order of the code.
    private static let scopes = ComposeAttribute.Scope.allCases.filter { $0.rawValue.contains("x-escale") }

    private static func members(_ schema: YAMLValue) -> YAMLValue {
        .map([.init("type", .string("object")), .init("additionalProperties", schema)])
    }

    /// An object with the scope's attributes and others' `x-` keys; empty is nothing, with a warning.
    private static func section(_ scope: ComposeAttribute.Scope) -> YAMLValue {
        let attributes = EscaleAttributeValue.table.filter { $0.scope == scope }
        let required = attributes.filter(\.isRequired).map { YAMLValue.string($0.name) }
        var schema: [YAMLValue.Member] = [
            .init("type", .list([.string("object"), .string("null")])),
            .init("properties", .map(attributes.map { .init($0.name, described($0)) })),
            .init("patternProperties", .map([.init("^x-", .map([]))])),
            .init("additionalProperties", .bool(false)),
        ]
        if !required.isEmpty { schema.append(.init("required", .list(required))) }
        return .map(schema)
    }

    /// The value's shape with the sentence that editors show. Beside `$ref` a draft 7 schema may say nothing else.
    private static func described(_ attribute: EscaleAttributeValue) -> YAMLValue {
        let description = YAMLValue.Member("description", .string(attribute.meaning))
        guard case .section = attribute.shape, case .map(let members) = attribute.shape.schema else {
            guard case .map(let members) = attribute.shape.schema else { return attribute.shape.schema }
            return .map([description] + members)
        }
        return .map([description, .init("allOf", .list([.map(members)]))])
    }
}

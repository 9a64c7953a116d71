import EscaleYAML

extension ValueShape {
    /// The shape in JSON Schema, draft 7. Wherever a scalar may stand, text with a variable may stand too.
    var schema: YAMLValue {
        switch self {
        case .section(let scope): Self.reference(to: scope.rawValue)
        case .text(nil): Self.types("string", "number")
        case .text(let pattern?): Self.orVariable([Self.pattern(pattern)])
        case .words(let words): Self.orVariable([.map([.init("enum", .list(words.map { .string($0) }))])])
        case .boolean: Self.orVariable([Self.types("boolean")])
        case .whole(let range): Self.orVariable([Self.whole(range), Self.pattern("^[0-9]+$")])
        case .number: Self.orVariable([Self.types("number"), Self.pattern(Self.decimal)])
        case .duration: Self.orVariable([Self.pattern("^(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|ms|s|m|h))+)$"), Self.zero])
        case .size: Self.orVariable([Self.pattern("^[0-9.]+([bB]|[kKmMgG][bB]?)?$"), Self.types("number")])
        case .share: Self.orVariable([Self.pattern("^[0-9.]+%?$"), Self.fraction])
        case .list(let item): .map([.init("type", .string("array")), .init("items", item.schema)])
        case .named(let value): .map([.init("type", .string("object")), .init("additionalProperties", value.schema)])
        case .either(let shapes): .map([.init("anyOf", .list(shapes.map(\.schema)))])
        }
    }

    /// A reference to a definition of the same schema.
    static func reference(to name: String) -> YAMLValue { .map([.init("$ref", .string("#/definitions/\(name)"))]) }

    /// What ``schema`` refers to besides sections.
    static let variable = YAMLValue.Member(
        "variable",
        .map([.init("description", .string("Text with a variable in it")), .init("type", .string("string")), .init("pattern", .string("\\$"))])
    )

    private static let decimal = "^[0-9]*[.]?[0-9]+$"
    private static let zero = YAMLValue.map([.init("const", .int(0))])
    private static let fraction = YAMLValue.map([
        .init("type", .string("number")), .init("minimum", .int(0)), .init("maximum", .int(1)),
    ])

    private static func orVariable(_ shapes: [YAMLValue]) -> YAMLValue {
        .map([.init("anyOf", .list(shapes + [reference(to: "variable")]))])
    }

    private static func types(_ names: String...) -> YAMLValue {
        let first = names.count == 1 ? names.first : nil
        return .map([.init("type", first.map { .string($0) } ?? .list(names.map { .string($0) }))])
    }

    private static func pattern(_ pattern: String) -> YAMLValue {
        .map([.init("type", .string("string")), .init("pattern", .string(pattern))])
    }

    private static func whole(_ range: ClosedRange<Int>) -> YAMLValue {
        .map([
            .init("type", .string("integer")), .init("minimum", .int(Int64(range.lowerBound))),
            .init("maximum", .int(Int64(range.upperBound))),
        ])
    }
}

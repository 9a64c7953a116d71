import EscaleYAML

/// What may be written as the value of an attribute: as much of it as a JSON Schema can say.
indirect enum ValueShape: Hashable, Sendable {
    /// The attributes of a scope.
    case section(ComposeAttribute.Scope)
    /// Text that the regular expression finds itself in.
    case text(matching: String?)
    case words([String])
    case boolean
    case whole(ClosedRange<Int>)
    case number
    /// Such as `1m30s`; `0` too.
    case duration
    /// Such as `64k`.
    case size
    /// `1%` or `0.01`.
    case share
    case list(ValueShape)
    /// Values of the shape by names that the file chooses.
    case named(ValueShape)
    case either([ValueShape])

    static let text = ValueShape.text(matching: nil)
    static let port = ValueShape.whole(1...65535)
    static let path = ValueShape.text(matching: "^/")

    /// One value, or a list of them.
    static func oneOrMore(_ shape: ValueShape) -> ValueShape { .either([shape, .list(shape)]) }
}

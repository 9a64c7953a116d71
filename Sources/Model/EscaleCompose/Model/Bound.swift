/// A limit that may be lifted: Compose writes `-1` for none.
package enum Bound<Value: Codable & Hashable & Sendable & Comparable>: Codable, Hashable, Sendable {
    case unlimited
    case at(Value)

    /// Whether everything that this one allows is allowed by the other too.
    package func isWithin(_ other: Self) -> Bool {
        switch (self, other) {
        case (_, .unlimited): true
        case (.unlimited, .at): false
        case (.at(let value), .at(let most)): value <= most
        }
    }
}

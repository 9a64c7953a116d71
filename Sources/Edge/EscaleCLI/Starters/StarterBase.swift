/// What the image is built on.
package enum StarterBase: String, CaseIterable, Sendable {
    /// Always to be had: Escale can make it from the machine's own package sources.
    case debian
    /// The language's image of the public registry.
    case official
}

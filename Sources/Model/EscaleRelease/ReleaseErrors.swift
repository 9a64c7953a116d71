import EscaleCore

extension EscaleError {
    static func nothingToPromote(_ number: Int) -> Self {
        Self(
            .init("release.nothing-to-promote"), "release \(number) is at no step that could be ended",
            hint: "see what it does: `escale release watch`")
    }

    static func releaseOver(_ number: Int, _ done: String) -> Self {
        Self(
            .init("release.state"), "release \(number) can't be \(done) in the state it is in",
            hint: "see its state: `escale release show \(number)`")
    }
}

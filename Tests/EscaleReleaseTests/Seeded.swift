import EscaleCore

/// A small deterministic source of randomness (splitmix64), so that a printed seed repeats a world.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &self)] }

    /// Anything between two lengths in milliseconds.
    mutating func time(_ range: ClosedRange<Int64>) -> Duration { .milliseconds(Int64.random(in: range, using: &self)) }
}

/// A rule that a world broke.
struct Broken: Error, CustomStringConvertible {
    let description: String
}

extension ServiceName: ExpressibleByStringLiteral {
    package init(stringLiteral text: String) { self.init(rawValue: text) }
}

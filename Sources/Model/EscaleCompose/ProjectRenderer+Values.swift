import EscaleCore
import EscaleYAML

/// Units as Docker Compose writes them.
extension ProjectRenderer {
    /// As Go writes durations: `1m30s`, `1h0m0s`, `1.5s`, `500ms`.
    static func duration(_ duration: Duration) -> YAMLValue { .string(goText(of: duration.nanoseconds)) }

    private static func goText(of nanoseconds: Int64) -> String {
        guard nanoseconds > 0 else { return "0s" }
        if nanoseconds < 1000 { return "\(nanoseconds)ns" }
        if nanoseconds < 1_000_000 { return decimal(nanoseconds, per: 1000) + "µs" }
        if nanoseconds < 1_000_000_000 { return decimal(nanoseconds, per: 1_000_000) + "ms" }
        let minute: Int64 = 60_000_000_000
        let hours = nanoseconds / (60 * minute)
        let minutes = nanoseconds % (60 * minute) / minute
        let lead = hours > 0 ? "\(hours)h\(minutes)m" : minutes > 0 ? "\(minutes)m" : ""
        return lead + decimal(nanoseconds % minute, per: 1_000_000_000) + "s"
    }

    /// The quotient with as many decimals as it has.
    private static func decimal(_ value: Int64, per unit: Int64) -> String {
        var rest = value % unit
        var text = "\(value / unit)"
        if rest > 0 { text += "." }
        var place = unit
        while rest > 0 {
            place /= 10
            text += "\(rest / place)"
            rest %= place
        }
        return text
    }

    static func bytes(_ count: ByteCount) -> YAMLValue { .string(String(count.rawValue)) }

    static func bytes(_ bound: Bound<ByteCount>) -> YAMLValue {
        switch bound {
        case .unlimited: .string("-1")
        case .at(let count): bytes(count)
        }
    }

    static func count(_ count: Int) -> YAMLValue { .int(Int64(count)) }

    static func count(_ bound: Bound<Int>) -> YAMLValue {
        switch bound {
        case .unlimited: .int(-1)
        case .at(let number): count(number)
        }
    }

    static func microseconds(_ duration: Duration) -> YAMLValue { .int(duration.nanoseconds / 1000) }

    /// A number that is written without a fraction where it has none.
    static func number(_ number: Double) -> YAMLValue {
        Int64(exactly: number).map { .int($0) } ?? .double(number)
    }

    /// In octal, as text, so that every parser reads the same.
    static func permissions(_ mode: UInt32) -> YAMLValue { .string("0" + String(mode, radix: 8)) }
}

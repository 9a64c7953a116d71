import EscaleCore
import EscaleYAML

/// Limits: numbers that may be `-1` for none, processors, shares of time.
extension Field {
    /// A whole number in the range, or `-1` for no limit.
    func bound(in range: ClosedRange<Int>) -> Bound<Int>? {
        if node.scalar?.text == "-1" { return .unlimited }
        return integer(in: range).map { .at($0) }
    }

    /// A size, or `-1` for no limit.
    func byteBound() -> Bound<ByteCount>? {
        if node.scalar?.text == "-1" { return .unlimited }
        return bytes().map { .at($0) }
    }

    /// A number of processors; `nil` also for 0, which is no limit.
    func processors() -> Double? {
        guard let number = number() else { return nil }
        let range = 0.0...65536
        guard range.contains(number) else {
            error(
                "compose.range", "\(path) is \(node.scalar?.text ?? ""); it must be 0 to 65536",
                hint: "write how many processors, such as 1.5"
            )
            return nil
        }
        return number == 0 ? nil : number
    }

    /// A number from 0 to 100, a share in hundredths.
    func percentage() -> Double? {
        guard let number = number() else { return nil }
        guard (0...100).contains(number) else {
            error("compose.range", "\(path) is \(node.scalar?.text ?? ""); it must be 0 to 100")
            return nil
        }
        return number
    }

    /// A number of microseconds, or a duration; in the range, or 0 for the usual.
    func microseconds(in range: ClosedRange<Duration>) -> Duration? {
        let example = "write a number of microseconds, or a duration such as 50ms"
        guard let text = text(hint: example) else { return nil }
        guard let duration = Int64(text).map(Duration.microseconds) ?? Duration(compose: text) else {
            error("compose.duration", "\(path): \"\(text)\" is not a duration", hint: example)
            return nil
        }
        if duration == .zero { return nil }
        guard range.contains(duration) else {
            error(
                "compose.range",
                "\(path) is \(text); it must be \(range.lowerBound.composeText) to \(range.upperBound.composeText)",
                hint: example
            )
            return nil
        }
        return duration
    }

    /// Permissions in octal: `0440`, `0o440`, `"440"`. A bare `288` is decimal, as in Docker Compose.
    func permissions() -> UInt32? {
        guard let text = text(hint: "write permissions such as 0440") else { return nil }
        let digits = text.hasPrefix("0o") ? text.dropFirst(2) : text[...]
        var isDecimal = false
        if case .int = node.resolved { isDecimal = !text.hasPrefix("0") }
        if let mode = UInt32(digits, radix: isDecimal ? 10 : 8), mode <= 0o7777 {
            if isDecimal {
                let octal = "0" + String(mode, radix: 8)
                warning(
                    "compose.mode.decimal",
                    "\(path): \(text) without a leading zero is decimal; it is the same as \(octal)",
                    hint: UInt32(text, radix: 8) == nil
                        ? "write \(octal)" : "write 0\(text) if that is meant, else \(octal)"
                )
            }
            return mode
        }
        error(
            "compose.mode",
            "\(path): \"\(text)\" are no permissions",
            hint: "write them in octal, such as 0755"
        )
        return nil
    }
}

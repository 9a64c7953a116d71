/// A number of bytes. Reads the Compose Specification's byte values: `300m`, `1gb`, `64k`, `1024`.
package struct ByteCount: RawRepresentable, Hashable, Codable, Sendable, Comparable, CustomStringConvertible {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
    package init(_ bytes: Int64) { rawValue = bytes }

    /// `nil` for anything but digits (a decimal fraction allowed) and one of `b k m g kb mb gb`, in either case; also
    /// Docker's `t p` and `kib mib …`. All are powers of 1024.
    package init?(compose text: String) {
        let lower = text.lowercased()
        let number = lower.prefix { $0.isNumber || $0 == "." }
        guard let value = Double(number), let factor = Self.factor(of: lower.dropFirst(number.count)),
            value >= 0, value * factor < 9e18
        else { return nil }
        rawValue = Int64(value * factor)
    }

    private static func factor(of unit: Substring) -> Double? {
        if unit.isEmpty || unit == "b" { return 1 }
        guard let prefix = unit.first, let power = "kmgtp".firstIndex(of: prefix), ["", "b", "ib"].contains(unit.dropFirst())
        else { return nil }
        return (0...("kmgtp".distance(from: "kmgtp".startIndex, to: power))).reduce(1) { factor, _ in factor * 1024 }
    }

    /// As people read it: `1.2GB`, `340MB`, `12kB`, `17B`, in powers of 1000 like Docker's listings.
    package var description: String {
        var value = Double(rawValue)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1000 { return Self.threeDigits(value) + unit }
            value /= 1000
        }
        return Self.threeDigits(value) + "TB"
    }

    private static func threeDigits(_ value: Double) -> String {
        if value >= 100 || value == value.rounded() { return String(Int(value.rounded())) }
        let factor: Double = value >= 10 ? 10 : 100
        let rounded = (value * factor).rounded() / factor
        return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
    }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension Duration {
    /// The duration in nanoseconds; saturates far beyond any duration that Escale handles.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : whole &+ attoseconds / 1_000_000_000
    }

    package var seconds: Double { Double(nanoseconds) / 1e9 }

    /// The Compose Specification's durations: `1m30s`, `40s`, `1h5m30s20ms`, `500us`; also Go's fractions, `1.5s`, and
    /// Docker Compose's days and weeks, `1d`, `2w`.
    ///
    /// `nil` for anything else, a bare number other than `0` among it.
    package init?(compose text: String) {
        if text == "0" {
            self = .zero
            return
        }
        let units: [(String, Double)] = [("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12), ("d", 8.64e13), ("w", 6.048e14)]
        var total = 0.0
        var rest = Substring(text)
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number), let factor = units.first(where: { $0.0 == unit })?.1 else { return nil }
            total += value * factor
        }
        guard total < 9e18 else { return nil }
        self = .nanoseconds(Int64(total))
    }

    /// In the same notation, shortest form: `1m30s`, `1.5s` as `1s500ms`.
    package var composeText: String {
        var rest = nanoseconds
        if rest <= 0 { return "0s" }
        var text = ""
        for (unit, factor) in [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
            ("ms", 1_000_000), ("us", 1000), ("ns", 1)] as [(String, Int64)] where rest >= factor {
            text += "\(rest / factor)\(unit)"
            rest %= factor
        }
        return text
    }

    /// How long ago, or for how long, in one unit as Docker's listings say it: `4 seconds`, `2 minutes`, `3 hours`.
    package var spokenText: String {
        let seconds = max(0, nanoseconds / 1_000_000_000)
        func unit(_ count: Int64, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
        switch seconds {
        case 0: return "less than a second"
        case ..<60: return unit(seconds, "second")
        case ..<3600: return unit(seconds / 60, "minute")
        case ..<(48 * 3600): return unit(seconds / 3600, "hour")
        case ..<(14 * 86400): return unit(seconds / 86400, "day")
        default: return unit(seconds / (7 * 86400), "week")
        }
    }
}

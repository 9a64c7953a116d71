import EscaleCore

/// Reads the values of flags; what can't be read throws `usage` with what it must be.
enum Values {
    /// Seconds as a number, or a duration such as `1m30s`.
    static func seconds(_ text: String) throws(EscaleError) -> Duration {
        if let seconds = Int32(text), seconds >= 0 { return .seconds(seconds) }
        guard let duration = Duration(compose: text) else {
            throw EscaleError(.usage, "must be a number of seconds, or a duration such as 1m30s")
        }
        return duration
    }

    /// `SERVICE=NUM`
    static func scale(_ text: String) throws(EscaleError) -> (service: ServiceName, count: Int) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, ServiceName.accepts(parts[0]), let count = Int(parts[1]), (0...1000).contains(count) else {
            throw EscaleError(.usage, "must be SERVICE=NUM with a number from 0 to 1000, such as web=3")
        }
        return (ServiceName(rawValue: parts[0]), count)
    }

    /// A whole number from the given one on.
    static func count(_ text: String, from minimum: Int = 1) throws(EscaleError) -> Int {
        guard let count = Int(text), count >= minimum else {
            throw EscaleError(.usage, "must be a whole number of at least \(minimum)")
        }
        return count
    }

    /// RFC 3339, a date, or a duration before `now`.
    static func moment(_ text: String, now: Timestamp) throws(EscaleError) -> Timestamp {
        if let moment = Timestamp(text) ?? Timestamp(text + "Z") ?? Timestamp(text + "T00:00:00Z") {
            return moment
        }
        if let seconds = Int64(text), seconds >= 0, seconds < 9_000_000_000 {
            return Timestamp(nanoseconds: seconds * 1_000_000_000)
        }
        guard let ago = Duration(compose: text) else {
            throw EscaleError(
                .usage,
                "must be a time such as 2026-11-20T22:54:01Z, or a duration such as 10m"
            )
        }
        return now + (.zero - ago)
    }

    /// `NAME=VALUE`, or `NAME` with the value that it has here.
    static func assignment(
        _ text: String,
        environment: [String: String]
    ) throws(EscaleError) -> (name: String, value: String?) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty else { throw EscaleError(.usage, "must be NAME=VALUE") }
        return (String(name), parts.count == 2 ? String(parts[1]) : environment[String(name)])
    }

    /// The number of a release.
    static func release(_ text: String) throws(EscaleError) -> Int {
        guard let number = Int(text), number >= 1 else {
            throw EscaleError(
                .usage,
                "\"\(text)\" is not a release: it must be a number from 1 on",
                hint: "`escale release ls` lists them"
            )
        }
        return number
    }

    static func port(_ text: String) throws(EscaleError) -> UInt16 {
        guard let port = UInt16(text), port > 0 else {
            throw EscaleError(.usage, "\"\(text)\" is not a port: it must be a number from 1 to 65535")
        }
        return port
    }
}

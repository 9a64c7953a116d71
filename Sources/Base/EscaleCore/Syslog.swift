/// Where a syslog server takes messages.
package enum SyslogAddress: Hashable, Codable, Sendable, CustomStringConvertible {
    case socket(path: String)
    case datagrams(host: String, port: UInt16)
    case stream(host: String, port: UInt16)

    /// Where programs of this host send theirs.
    package static let local = SyslogAddress.socket(path: "/dev/log")

    /// `unix:///dev/log`, `udp://host:514` or `tcp://[::1]:514`; 514 where no port is given. `nil` for anything else.
    package init?(_ text: String) {
        guard let mark = text.firstRange(of: "://") else { return nil }
        let place = text[mark.upperBound...]
        switch text[..<mark.lowerBound] {
        case "unix", "unixgram":
            guard place.hasPrefix("/"), place.utf8.count < 108 else { return nil }
            self = .socket(path: String(place))
        case "udp":
            guard let (host, port) = Self.endpoint(place) else { return nil }
            self = .datagrams(host: host, port: port)
        case "tcp":
            guard let (host, port) = Self.endpoint(place) else { return nil }
            self = .stream(host: host, port: port)
        default: return nil
        }
    }

    private static func endpoint(_ text: Substring) -> (host: String, port: UInt16)? {
        var host = text
        var rest: Substring = ""
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<close]
            rest = text[text.index(after: close)...]
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            rest = text[colon...]
        }
        guard !host.isEmpty, !host.contains("/"), !host.contains(" ") else { return nil }
        if rest.isEmpty { return (String(host), 514) }
        guard rest.hasPrefix(":"), let port = UInt16(rest.dropFirst()), port > 0 else { return nil }
        return (String(host), port)
    }

    package var description: String {
        func bracketed(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
        return switch self {
        case .socket(let path): "unix://\(path)"
        case .datagrams(let host, let port): "udp://\(bracketed(host)):\(port)"
        case .stream(let host, let port): "tcp://\(bracketed(host)):\(port)"
        }
    }
}

/// What kind of program a syslog message is from.
package enum SyslogFacility: String, CaseIterable, Codable, Sendable {
    case kern, user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp
    case local0, local1, local2, local3, local4, local5, local6, local7

    /// Its name, or its number as text.
    package init?(_ text: String) {
        guard let named = Self(rawValue: text) ?? Self.allCases.first(where: { String($0.number) == text }) else { return nil }
        self = named
    }

    package var number: Int {
        let place = Self.allCases.firstIndex(of: self) ?? 0
        // The numbers between `ftp` and `local0` are nobody's.
        return place < 12 ? place : place + 4
    }
}

/// How a syslog message is laid out.
package enum SyslogFormat: String, CaseIterable, Codable, Sendable {
    case rfc3164, rfc5424
    case rfc5424micro
}

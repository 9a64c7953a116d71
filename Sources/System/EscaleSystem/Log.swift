import EscaleCore
import Glibc

/// A small structured logger: constant messages, data beside them. One line of JSON-free `key=value` text each.
package struct Log: Sendable {
    package enum Level: Int, Sendable, Comparable {
        case debug, info, warning, error
        /// Of a log that tells nothing.
        case silent
        package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    private let level: Level
    private let context: [(String, String)]

    package init(level: Level, context: [(String, String)] = []) {
        self.level = level
        self.context = context
    }

    /// The same log with more context in every line.
    package func with(_ key: String, _ value: some CustomStringConvertible) -> Log {
        Log(level: level, context: context + [(key, value.description)])
    }

    package func debug(_ message: StaticString, _ data: KeyValuePairs<String, String> = [:]) { write(.debug, message, data) }
    package func info(_ message: StaticString, _ data: KeyValuePairs<String, String> = [:]) { write(.info, message, data) }
    package func warning(_ message: StaticString, _ data: KeyValuePairs<String, String> = [:]) { write(.warning, message, data) }
    package func error(_ message: StaticString, _ data: KeyValuePairs<String, String> = [:]) { write(.error, message, data) }

    private func write(_ level: Level, _ message: StaticString, _ data: KeyValuePairs<String, String>) {
        guard level >= self.level else { return }
        var line = "\(Timestamp.now) \(level) \(message)"
        for (key, value) in context + data.map({ ($0.key, $0.value) }) {
            let plain = value.utf8.allSatisfy { $0 > 32 && $0 != UInt8(ascii: "\"") && $0 != 127 }
            line += " \(key)=" + (plain && !value.isEmpty ? value : "\"\(value.replacingLineBreaks)\"")
        }
        line += "\n"
        // One write a line keeps lines of several threads apart; a log that can't be written is nobody's error.
        _ = line.withCString { Glibc.write(2, $0, strlen($0)) }
    }
}

extension String {
    fileprivate var replacingLineBreaks: String {
        split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n")
    }
}

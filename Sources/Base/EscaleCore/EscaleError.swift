/// The one error shape of Escale: for people a sentence and what to do next, for programs a stable dotted code.
///
/// Factories live beside the domain that throws them (`ImageErrors.swift`, `EngineErrors.swift`); the command
/// line only renders. An error crosses the daemon's socket as JSON and arrives as the same value.
package struct EscaleError: Error, Hashable, Codable, Sendable {
    /// A stable, dotted name such as `image.not-found`. Codes that this version doesn't know decode as themselves.
    package struct Code: RawRepresentable, Hashable, Codable, Sendable, CustomStringConvertible {
        package let rawValue: String
        package init(rawValue: String) { self.rawValue = rawValue }
        package init(_ rawValue: String) { self.rawValue = rawValue }
        package var description: String { rawValue }

        package static let usage = Code("usage")
        package static let internalFault = Code("internal")
        package static let interrupted = Code("interrupted")
        package static let invalidInput = Code("input.invalid")
    }

    /// One labelled block of evidence, such as a log's tail or a probe's output; may span lines.
    package struct Detail: Hashable, Codable, Sendable {
        package let label: String
        package let text: String

        package init(_ label: String, _ text: String) {
            self.label = label
            self.text = text
        }
    }

    package let code: Code
    /// What went wrong: one sentence, lower case, no full stop.
    package let message: String
    /// What to do next, naming the command where there is one.
    package let hint: String?
    /// Evidence, in the order it should be read.
    package var details: [Detail]
    /// Problems in files that the user wrote, sorted by position.
    package var diagnostics: [Diagnostic]

    package init(
        _ code: Code,
        _ message: String,
        hint: String? = nil,
        details: [Detail] = [],
        diagnostics: [Diagnostic] = []
    ) {
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details
        self.diagnostics = diagnostics
    }
}

extension EscaleError: CustomStringConvertible {
    /// The message with its code, for logs; people get ``rendered(sources:)``.
    package var description: String { "\(message) [\(code)]" }
}

extension EscaleError {
    /// The text a person sees: diagnostics, then the sentence, the evidence and the hint.
    ///
    /// - Parameter sources: gives the lines of a file for the excerpts; `nil` where it can't be read.
    package func rendered(sources: (String) -> [Substring]? = { _ in nil }) -> String {
        var text = diagnostics.map { $0.rendered(sources: sources) + "\n" }.joined()
        text += "error: \(message)\n"
        for detail in details {
            text += "  \(detail.label):\n"
            for line in detail.text.split(separator: "\n", omittingEmptySubsequences: false) {
                text += "    \(line)\n"
            }
        }
        if let hint { text += "hint: \(hint)\n" }
        return text
    }

    /// The same error, said of somebody: `service web: …`.
    package func of(_ subject: String) -> EscaleError {
        EscaleError(code, "\(subject): \(message)", hint: hint, details: details, diagnostics: diagnostics)
    }

    /// Any error as an ``EscaleError``; one that is none becomes `internal` with its own description.
    package init(wrapping error: any Error) {
        if let error = error as? EscaleError {
            self = error
        } else if error is CancellationError {
            self.init(.interrupted, "interrupted")
        } else {
            self.init(.internalFault, "\(error)")
        }
    }
}

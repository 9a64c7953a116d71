import EscaleCore

/// Something that Docker Compose has and Escale doesn't have yet, with what to use meanwhile.
package struct Unavailable: Hashable, Sendable {
    /// `--scale`, or a command's name.
    let name: String
    /// The flag's one-letter form.
    let short: String?
    /// What to do instead; `nil` where there is nothing.
    let instead: String?

    init(_ name: String, _ short: String? = nil, instead: String? = nil) {
        self.name = name
        self.short = short
        self.instead = instead
    }

    func matches(_ text: String) -> Bool { text == name || text == short }

    func error(in command: String) -> EscaleError {
        let subject = name.hasPrefix("-") ? "\(name) of `\(command)`" : "`\(command) \(name)`"
        return EscaleError(
            .usage,
            "\(subject) is not available yet",
            hint: instead ?? "see `\(command) --help`"
        )
    }
}

extension Unavailable {
    /// Docker Compose's commands that Escale doesn't have yet.
    static let commands: [Unavailable] = [
        Unavailable("bridge"),
        Unavailable("commit"),
        Unavailable("convert", instead: "use `escale config`"),
        Unavailable("export", instead: "pipe through tar: `escale exec -T SERVICE tar -c / > FILE`"),
        Unavailable("publish"),
    ]
}

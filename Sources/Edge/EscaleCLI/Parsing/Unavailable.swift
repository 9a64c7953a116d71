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
        Unavailable("attach", instead: "follow its output with `escale logs -f SERVICE`"),
        Unavailable("bridge"),
        Unavailable("commit"),
        Unavailable("convert", instead: "use `escale config`"),
        Unavailable("cp", instead: "pipe through it: `escale exec -T SERVICE cat FILE > FILE`"),
        Unavailable("create", instead: "use `escale up -d`"),
        Unavailable("export", instead: "pipe through tar: `escale exec -T SERVICE tar -c / > FILE`"),
        Unavailable("kill", instead: "end the project at once with `escale stop -t 0`"),
        Unavailable("pause"),
        Unavailable("publish"),
        Unavailable("restart", instead: "use `escale up -d --force-recreate SERVICE`"),
        Unavailable("rm", instead: "remove the whole project with `escale down`"),
        Unavailable("run", instead: "run it in a running container with `escale exec SERVICE COMMAND`"),
        Unavailable("scale", instead: "set `deploy.replicas` in the file and run `escale up -d`"),
        Unavailable("start", instead: "use `escale up -d`"),
        Unavailable("stats"),
        Unavailable("top", instead: "use `escale exec SERVICE ps`"),
        Unavailable("unpause"),
        Unavailable("volumes", instead: "list the file's with `escale config --volumes`"),
        Unavailable("wait", instead: "use `escale up --wait`, or `escale events -f`"),
        Unavailable("watch", instead: "run `escale up -d --build` after a change"),
    ]
}

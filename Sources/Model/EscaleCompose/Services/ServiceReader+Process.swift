import EscaleCore

/// What runs in the container and how it is stopped.
extension ServiceReader {
    func readProcess(_ section: Section, into service: inout Service) {
        service.command = section["command"].flatMap(commandLine)
        service.entrypoint = section["entrypoint"].flatMap(commandLine)
        service.user = section["user"]?.filledText(hint: "write a name or uid, or uid:gid in quotes")
        service.workingDirectory = section["working_dir"].flatMap(directory)
        service.containerName = section["container_name"].flatMap(containerName)
        service.hostname = section["hostname"].flatMap(hostName)
        service.stopSignal = section["stop_signal"].flatMap(signal)
        service.stopGracePeriod = section["stop_grace_period"]?.duration()
        service.useInit = section["init"]?.boolean() ?? false
        service.tty = section["tty"]?.boolean() ?? false
        service.stdinOpen = section["stdin_open"]?.boolean() ?? false
    }

    /// A list as it is, or text taken apart like a shell would, without any shell; nothing at all is `nil`.
    func commandLine(_ field: Field) -> [String]? {
        if field.isNull { return nil }
        if field.isList { return field.items()?.compactMap { $0.text() } }
        guard let text = field.text(hint: "write one line, or a list such as [\"sh\", \"-c\", \"echo hi\"]")
        else { return nil }
        switch ShellWords.split(text) {
        case .unclosedQuote(let quote):
            field.error(
                "compose.command.quote",
                "\(field.path): a \(quote) is never closed",
                hint: "close it, or write the command as a list"
            )
            return nil
        case .words(let words, let shellSign):
            if let shellSign {
                field.warning(
                    "compose.command.shell",
                    "\(field.path): \"\(shellSign)\" is passed to the program as it is, since no shell runs the command",
                    hint: "to use a shell, write [\"sh\", \"-c\", \"…\"]; else put it in quotes"
                )
            }
            return words
        }
    }

    private func containerName(_ field: Field) -> String? {
        guard let name = field.filledText() else { return nil }
        note(field, "container_name")
        guard ServiceName.accepts(name) else {
            field.error(
                "compose.name",
                "\(field.path): \"\(name)\" is not a valid container name",
                hint: "use letters, digits, '_', '.' and '-', beginning with a letter or digit"
            )
            return nil
        }
        return name
    }

    func hostName(_ field: Field) -> String? {
        guard let name = field.filledText() else { return nil }
        let isValid =
            name.utf8.count <= 64
            && name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                !label.isEmpty && label.utf8.count <= 63 && !label.hasPrefix("-") && !label.hasSuffix("-")
                    && label.unicodeScalars.allSatisfy {
                        $0.isASCII
                            && ($0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "-"
                                || $0 == "_")
                    }
            }
        guard isValid else {
            field.error(
                "compose.hostname",
                "\(field.path): \"\(name)\" is not a valid host name",
                hint: "use up to 64 letters, digits, '-' and '.'"
            )
            return nil
        }
        return name
    }

    private func signal(_ field: Field) -> String? {
        guard let text = field.filledText() else { return nil }
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        let isRealTime = name.hasPrefix("RTMIN") || name.hasPrefix("RTMAX")
        let number = Int(text).map { (1...64).contains($0) }
        if number ?? (Self.signals.contains(name) || isRealTime) { return text }
        field.error(
            "compose.signal",
            "\(field.path): \"\(text)\" is no signal",
            hint: Suggestion.nearest(to: name, among: Self.signals).map { "did you mean SIG\($0)?" }
                ?? "use a name such as SIGTERM, or a number from 1 to 64"
        )
        return nil
    }

    private static let signals: Set<String> = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "IOT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE",
        "ALRM", "TERM", "STKFLT", "CHLD", "CLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU",
        "XFSZ",
        "VTALRM", "PROF", "WINCH", "IO", "POLL", "PWR", "SYS",
    ]
}

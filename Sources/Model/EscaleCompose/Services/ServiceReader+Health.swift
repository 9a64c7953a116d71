import EscaleCore

/// Health checks and capabilities.
extension ServiceReader {
    func healthcheck(_ field: Field) -> Healthcheck? {
        guard
            let section = field.section(.healthcheck, hint: "write at least test: curl -f http://localhost/")
        else { return nil }
        var check = Healthcheck()
        check.test = section["test"].flatMap(test)
        check.interval = positive(section["interval"])
        check.timeout = positive(section["timeout"])
        check.startPeriod = section["start_period"]?.duration()
        check.startInterval = positive(section["start_interval"])
        check.retries = section["retries"]?.integer(in: 0...1000).flatMap { $0 == 0 ? nil : $0 }
        if section["disable"]?.boolean() == true {
            if let test = check.test, test != .none {
                section["test"]?.warning(
                    "compose.healthcheck.disabled",
                    "\(field.path): the test never runs, since `disable` is true",
                    hint: "remove one of the two"
                )
            }
            check.test = Healthcheck.Test.none
        }
        return check
    }

    /// Zero means "as the image says", as in Docker.
    private func positive(_ field: Field?) -> Duration? {
        field?.duration().flatMap { $0 == .zero ? nil : $0 }
    }

    private func test(_ field: Field) -> Healthcheck.Test? {
        let forms =
            "write a command line, or [\"CMD\", \"pg_isready\"], or [\"CMD-SHELL\", \"curl -f localhost || exit 1\"]"
        if field.isScalar { return field.filledText(hint: forms).map { .shell($0) } }
        guard let items = field.items(hint: forms) else { return nil }
        let words = items.compactMap { $0.text() }
        guard words.count == items.count else { return nil }
        switch words.first {
        case "NONE" where words.count == 1: return Healthcheck.Test.none
        case "CMD" where words.count > 1: return .exec(Array(words.dropFirst()))
        case "CMD-SHELL" where words.count == 2: return .shell(words[1])
        case "NONE", "CMD", "CMD-SHELL":
            field.error(
                "compose.healthcheck.test",
                words.count == 1
                    ? "\(field.path): a command is missing after \(words[0])"
                    : "\(field.path): \(words[0]) takes \(words[0] == "NONE" ? "nothing" : "one command line") behind it",
                hint: forms
            )
        case let first:
            field.error(
                "compose.healthcheck.test",
                "\(field.path) must begin with CMD, CMD-SHELL or NONE"
                    + (first.map { ", not \"\($0)\"" } ?? ""),
                hint: forms
            )
        }
        return nil
    }

    func readSecurity(_ section: Section, into service: inout Service) {
        service.readOnly = section["read_only"]?.boolean() ?? false
        service.addedCapabilities = capabilities(section["cap_add"])
        service.droppedCapabilities = capabilities(section["cap_drop"])
    }

    private func capabilities(_ field: Field?) -> [String] {
        (field?.items(hint: "write a list such as [NET_ADMIN]") ?? []).compactMap { item in
            guard let text = item.filledText() else { return nil }
            let upper = text.uppercased()
            let name = upper.hasPrefix("CAP_") ? String(upper.dropFirst(4)) : upper
            if name == "ALL" || Self.capabilities.contains(name) { return text }
            item.error(
                "compose.capability",
                "\(item.path): there is no capability \"\(text)\"",
                hint: Suggestion.nearest(to: name, among: Self.capabilities).map { "did you mean \($0)?" }
                    ?? "capabilities are listed in man 7 capabilities; write them without CAP_, such as NET_ADMIN"
            )
            return nil
        }
    }

    private static let capabilities: Set<String> = [
        "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN",
        "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
        "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT",
        "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG", "WAKE_ALARM",
    ]
}

import EscaleCore

/// Capabilities of the kernel.
extension ServiceReader {
    func capabilities(_ field: Field?) -> [String] {
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

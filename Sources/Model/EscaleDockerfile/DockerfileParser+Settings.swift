import EscaleCore

/// Ports and signals, as far as they can be judged before variables are filled in.
extension DockerfileParser {
    mutating func expose(_ text: InstructionText) -> Instruction.Kind? {
        for word in text.words where isPlain(word) && !isPort(word) {
            report(
                "dockerfile.port",
                "\"\(word)\" is not a port",
                at: word.startIndex,
                hint: "write it like 80, 53/udp or 8000-8010"
            )
        }
        return .expose(text.words.map(String.init))
    }

    mutating func stopSignal(_ text: InstructionText) -> Instruction.Kind? {
        if isPlain(text.rest) && !isSignal(text.rest) {
            let near = nearest(text.rest.uppercased(), to: signals.map { "SIG\($0)" })
            report(
                "dockerfile.signal",
                "there is no signal \"\(text.rest)\"",
                at: text.rest.startIndex,
                hint: near.map { "did you mean \($0)?" } ?? "write it like SIGTERM, or as a number"
            )
        }
        return .stopSignal(String(text.rest))
    }

    /// Whether the text is what it will be: without variables, quotes and escapes.
    private func isPlain(_ text: Substring) -> Bool {
        !text.contains { $0 == "$" || $0 == "\"" || $0 == "'" || $0 == escape }
    }
}

/// `80`, `80/udp`, `8000-8010/tcp`. An address or a host's port before it is for a check to tell.
private func isPort(_ text: Substring) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.count == 1 || ["tcp", "udp", "sctp"].contains(parts[1].lowercased()),
        let range = parts[0].split(separator: ":", omittingEmptySubsequences: false).last
    else { return false }
    let ends = range.split(separator: "-", omittingEmptySubsequences: false).map { end in
        end.allSatisfy { ("0"..."9").contains($0) } ? UInt16(end) : nil
    }
    guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1] else { return false }
    return first > 0 && first <= last
}

/// Linux's signals, without `SIG`.
private let signals = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "UNUSED",
    "URG",
    "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
]

/// A number, or a name in either case with or without `SIG`, `RTMIN+3` among them.
private func isSignal(_ text: Substring) -> Bool {
    if let number = Int(text) { return (1...64).contains(number) && text.first != "+" }
    let name = text.uppercased()
    let short = name.hasPrefix("SIG") ? String(name.dropFirst(3)) : name
    if signals.contains(short) { return true }
    guard short.hasPrefix("RTMIN+") || short.hasPrefix("RTMAX-"), let offset = UInt8(short.dropFirst(6))
    else {
        return false
    }
    return (1...15).contains(offset)
}

import EscaleCore
import Glibc

/// Signal names as Dockerfiles and compose files write them.
enum Signals {
    private static let numbers: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "KILL": SIGKILL, "USR1": SIGUSR1, "USR2": SIGUSR2,
        "TERM": SIGTERM, "STOP": SIGSTOP, "CONT": SIGCONT, "WINCH": SIGWINCH, "ABRT": SIGABRT, "ALRM": SIGALRM,
        "PWR": SIGPWR, "TSTP": SIGTSTP, "TTIN": SIGTTIN, "TTOU": SIGTTOU, "PIPE": SIGPIPE, "POLL": SIGPOLL,
    ]

    /// `SIGTERM`, `term`, `15`, `RTMIN+3`.
    static func number(_ text: String) throws(EscaleError) -> Int32 {
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let number = Int32(name), (1...64).contains(number) { return number }
        if let number = numbers[name] { return number }
        if name.hasPrefix("RTMIN+"), let offset = Int32(name.dropFirst(6)), (0...30).contains(offset) { return 34 + offset }
        throw EscaleError(
            .invalidInput, "\"\(text)\" is no signal", hint: "write a name such as SIGTERM or a number from 1 to 64")
    }

    /// How an exit code reads: `exit code 3`, `killed by SIGKILL`.
    static func spoken(_ code: Int32) -> String {
        guard code > 128, let name = numbers.first(where: { $0.value == code - 128 })?.key else {
            return "exit code \(code)"
        }
        return "exit code \(code), SIG\(name)"
    }
}

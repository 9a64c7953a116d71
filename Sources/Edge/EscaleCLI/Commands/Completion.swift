import EscaleCore

/// `escale completion`
enum Completion: CLICommand {
    static let path = ["completion"]
    static let summary = "Print what teaches a shell to complete escale's commands"
    static let details: String? = """
        bash: `source <(escale completion bash)` in ~/.bashrc. zsh: `escale completion zsh > _escale` in a directory of $fpath. \
        fish: `escale completion fish > ~/.config/fish/completions/escale.fish`. The Debian package has all three in place.
        """
    static let operands = Operands.exactly("bash|zsh|fish")

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        guard let shell = CompletionScript.Shell(rawValue: operands[0]) else {
            throw EscaleError(
                .usage, "there is no completion for the shell \"\(operands[0])\"",
                hint: "possible are \(spokenList(CompletionScript.Shell.allCases.map(\.rawValue), last: "and"))")
        }
        session.console.write(CompletionScript.text(for: shell))
        return 0
    }
}

/// `escale man`
enum Man: CLICommand {
    static let path = ["man"]
    static let summary = "Print the manual page of a program"
    static let details: String? = "Read it with `escale man escale | man -l -`. The Debian package has both in place."
    static let operands = Operands.exactly("escale|escaled")

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        switch operands[0] {
        case "escale": session.console.write(ManualPage.escale)
        case "escaled": session.console.write(ManualPage.escaled)
        default:
            throw EscaleError(
                .usage, "there is no manual page of \"\(operands[0])\"", hint: "possible are escale and escaled")
        }
        return 0
    }
}

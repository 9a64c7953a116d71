import EscaleCore

extension DockerfileParser {
    private static let runFlags = ["--mount", "--network", "--security", "--device"]

    mutating func run(_ text: InstructionText) -> Instruction.Kind? {
        let flags = checkedFlags(text, of: "RUN", known: Self.runFlags, repeatable: ["--mount", "--device"])
        guard !text.rest.isEmpty, text.json?.isEmpty != true else {
            report("dockerfile.syntax", "RUN needs a command")
            return nil
        }
        warnAboutBrokenJSON(text.rest)
        var run = RunInstruction(text.command, heredocs: text.heredocs)
        for flag in flags {
            switch flag.name {
            case "--mount": run.mounts += mount(flag).map { [$0] } ?? []
            case "--network": run.network = choice(of: flag, of: "RUN", from: ["default", "none", "host"])
            case "--security": run.security = choice(of: flag, of: "RUN", from: ["sandbox", "insecure"])
            default:
                report(
                    "dockerfile.unsupported",
                    "RUN --device is not supported",
                    at: flag.start,
                    hint: "leave it out: steps of a build get no devices"
                )
            }
        }
        return .run(run)
    }

    private mutating func mount(_ flag: Flag) -> RunMount? {
        guard let text = value(of: flag, of: "RUN") else { return nil }
        let result = parseMount(text)
        for problem in result.problems {
            report(
                "dockerfile.mount",
                "RUN --mount: \(problem.message)",
                at: flag.place(ofValue: problem.offset),
                hint: problem.hint
            )
        }
        return result.mount
    }
}

package import EscaleCore
import EscaleDockerfile

extension EscaleError.Code {
    /// A command of the Dockerfile ended with another exit code than 0.
    package static let stepFailed = EscaleError.Code("build.step-failed")
}

extension EscaleError {
    static func dockerfile(_ file: String, _ diagnostics: [Diagnostic]) -> Self {
        let count = diagnostics.filter { $0.severity == .error }.count
        return Self(
            Code("build.dockerfile"),
            "\(file) has \(count) error\(count == 1 ? "" : "s")",
            diagnostics: diagnostics
        )
    }

    /// An error that belongs to a place in the Dockerfile.
    static func build(
        _ code: String,
        _ message: String,
        at position: SourcePosition,
        hint: String? = nil,
        details: [Detail] = []
    ) -> Self {
        Self(
            Code(code),
            message,
            hint: hint,
            details: details,
            diagnostics: [Diagnostic(.error, Code(code), message, at: position)]
        )
    }

    static func dockerfileMissing(_ path: String) -> Self {
        Self(
            Code("build.dockerfile-missing"),
            "there is no Dockerfile at \(path)",
            hint: "name it with `dockerfile:` in the compose file, or with -f"
        )
    }

    static func contextMissing(_ path: String) -> Self {
        Self(
            Code("build.context-missing"),
            "the build context \(path) is not a directory",
            hint: "check `build:` in the compose file; paths are relative to it"
        )
    }

    static func unknownStage(_ name: String, _ known: [String], at position: SourcePosition?) -> Self {
        let message = "there is no stage \"\(name)\""
        let near = nearest(name, to: known).map { "did you mean \"\($0)\"?" }
        return Self(
            Code("build.unknown-stage"),
            message,
            hint: near
                ?? (known.isEmpty
                    ? "no stage has a name" : "the stages are " + known.joined(separator: ", ")),
            diagnostics: position.map { [Diagnostic(.error, Code("build.unknown-stage"), message, at: $0)] }
                ?? []
        )
    }

    static func stepFailed(
        _ instruction: Instruction,
        _ step: BuildStep,
        command: String,
        exitCode: Int32,
        output: String,
        excerpt: String
    ) -> Self {
        let first = instruction.position.line
        let lines = instruction.lastLine > first ? "\(first)-\(instruction.lastLine)" : "\(first)"
        let reason =
            switch exitCode {
            case 126: "the command can't be executed"
            case 127: "the command was not found"
            case 137: "the command was killed, perhaps for want of memory"
            default: "the command failed"
            }
        return Self(
            .stepFailed,
            "\(reason) with exit code \(exitCode) in step \(step.label) (\(instruction.position.file):\(lines))",
            details: [
                Detail(instruction.position.file, excerpt),
                Detail("command", command),
                Detail("output, the last lines", output.isEmpty ? "(none)" : output),
            ],
            diagnostics: [
                Diagnostic(.error, .stepFailed, "exit code \(exitCode)", at: instruction.position)
            ]
        )
    }

    /// The error with the place in the Dockerfile that led to it, unless it has one.
    func placed(at position: SourcePosition) -> EscaleError {
        guard diagnostics.isEmpty, code != .interrupted else { return self }
        return EscaleError(
            code,
            message,
            hint: hint,
            details: details,
            diagnostics: [Diagnostic(.error, code, message, at: position)]
        )
    }
}

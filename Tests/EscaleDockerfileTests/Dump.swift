import EscaleCore
import EscaleDockerfile

/// One line for each instruction, with what was understood. What was not said is not printed.
func dump(_ dockerfile: Dockerfile) -> String {
    var lines: [String] = []
    if let syntax = dockerfile.syntax { lines.append("syntax ⟨\(syntax)⟩") }
    if dockerfile.checks != CheckDirective() {
        let checks = dockerfile.checks
        lines.append(
            "checks" + (checks.skipsAll ? " skip all" : "")
                + (checks.skipped.isEmpty ? "" : " skip " + checks.skipped.sorted().joined(separator: ","))
                + (checks.experimental.isEmpty
                    ? "" : " try " + checks.experimental.sorted().joined(separator: ","))
                + (checks.failsBuild ? " fail" : "")
        )
    }
    lines += dockerfile.arguments.map { "global ARG \($0.name)\($0.value.map { "=⟨\($0)⟩" } ?? "")" }
    for stage in dockerfile.stages {
        lines.append(
            "\(stage.position.line): FROM ⟨\(stage.base)⟩ as \(stage.displayName)"
                + (stage.platform.map { " platform=⟨\($0)⟩" } ?? "")
        )
        for instruction in stage.instructions {
            let place =
                instruction.lastLine > instruction.position.line
                ? "\(instruction.position.line)-\(instruction.lastLine)" : "\(instruction.position.line)"
            lines.append("  \(place): " + dump(instruction.kind))
        }
    }
    return lines.map { $0.replacing("\n", with: "⏎") + "\n" }.joined()
}

func dump(_ kind: Instruction.Kind) -> String {
    switch kind {
    case .argument(let all):
        return "ARG " + all.map { $0.name + ($0.value.map { "=⟨\($0)⟩" } ?? "") }.joined(separator: " ")
    case .environment(let all): return "ENV " + pairs(all)
    case .label(let all): return "LABEL " + pairs(all)
    case .workingDirectory(let path): return "WORKDIR ⟨\(path)⟩"
    case .copy(let copy): return dump(copy)
    case .run(let run): return dump(run)
    case .user(let user): return "USER ⟨\(user)⟩"
    case .expose(let ports): return "EXPOSE " + list(ports)
    case .volume(let paths): return "VOLUME " + list(paths)
    case .command(let line): return "CMD " + command(line)
    case .entrypoint(let line): return "ENTRYPOINT " + command(line)
    case .healthcheck(let check):
        let times = [
            ("interval", check.interval), ("timeout", check.timeout), ("start-period", check.startPeriod),
            ("start-interval", check.startInterval),
        ].compactMap { name, value in value.map { " \(name)=\($0.composeText)" } }.joined()
        return "HEALTHCHECK " + command(check.command) + times
            + (check.retries.map { " retries=\($0)" } ?? "")
    case .shell(let words): return "SHELL " + list(words)
    case .stopSignal(let signal): return "STOPSIGNAL ⟨\(signal)⟩"
    case .maintainer(let name): return "MAINTAINER ⟨\(name)⟩"
    case .onBuild(let text): return "ONBUILD ⟨\(text)⟩"
    }
}

private func dump(_ copy: CopyInstruction) -> String {
    let sources = copy.sources.map { source in
        switch source {
        case .path(let path): "⟨\(path)⟩"
        case .inline(let heredoc): "inline \(heredoc.name) expands=\(heredoc.expands) ⟨\(heredoc.content)⟩"
        }
    }
    return (copy.isAdd ? "ADD " : "COPY ") + sources.joined(separator: " ") + " → ⟨\(copy.destination)⟩"
        + settings([("from", copy.from), ("chown", copy.owner), ("chmod", copy.mode)])
        + (copy.isLink ? " link" : "") + (copy.keepsParents ? " parents" : "")
        + (copy.excludes.isEmpty ? "" : " exclude=" + list(copy.excludes))
        + settings([("checksum", copy.checksum)])
        + (copy.keepsGitDirectory ? " keep-git-dir" : "")
        + (copy.unpacks.map { " unpack=\($0)" } ?? "")
}

private func dump(_ run: RunInstruction) -> String {
    let mounts = run.mounts.map { mount in
        let settings = settings([
            ("id", mount.id), ("target", mount.target), ("source", mount.source), ("from", mount.from),
            ("ro", mount.isReadOnly.map { "\($0)" }), ("sharing", mount.sharing?.rawValue),
            ("mode", mount.mode),
            ("uid", mount.uid), ("gid", mount.gid), ("size", mount.size), ("env", mount.environment),
        ])
        return " mount(" + mount.kind.rawValue + settings + (mount.isRequired ? " required" : "") + ")"
    }
    return "RUN " + (run.shellText.map { "shell ⟨\($0)⟩" } ?? command(run.command)) + mounts.joined()
        + settings([("network", run.network), ("security", run.security)])
}

private func list(_ words: [String]) -> String { words.map { "⟨\($0)⟩" }.joined(separator: " ") }

private func pairs(_ pairs: [NameAndValue]) -> String {
    pairs.map { "\($0.name)=⟨\($0.value)⟩" }.joined(separator: " ")
}

private func settings(_ settings: [(String, String?)]) -> String {
    settings.compactMap { name, value in value.map { " \(name)=⟨\($0)⟩" } }.joined()
}

private func command(_ command: CommandLine?) -> String {
    switch command {
    case nil: "none"
    case .shell(let line): "shell ⟨\(line)⟩"
    case .exec(let words): "exec \(list(words))"
    }
}

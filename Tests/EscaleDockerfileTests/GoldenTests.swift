import EscaleCore
import EscaleDockerfile
import Foundation
import Testing

/// Each file of Tests/Golden/dockerfile is a Dockerfile, a line `----`, and what the parser makes of it.
/// `UPDATE_GOLDEN=1` rewrites the latter.
@Suite struct GoldenTests {
    static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Golden/dockerfile")

    static let names: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? [])
        .filter { $0.hasSuffix(".golden") }.sorted()

    @Test func thereAreGoldens() { #expect(Self.names.count >= 8) }

    @Test(arguments: names)
    func parsesAsWritten(name: String) throws {
        let url = Self.directory.appending(path: name)
        let text = try String(contentsOf: url, encoding: .utf8)
        let parts = text.components(separatedBy: "\n----\n")
        let (dockerfile, diagnostics) = parseDockerfile(parts[0], file: "Dockerfile")
        let result = diagnostics.map { $0.rendered() + "\n" }.joined() + dump(dockerfile)
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try (parts[0] + "\n----\n" + result).write(to: url, atomically: true, encoding: .utf8)
        } else {
            #expect(parts.count == 2 && parts[1] == result, "\(result)")
        }
    }
}

/// One line for each instruction, with what was understood.
private func dump(_ dockerfile: Dockerfile) -> String {
    var lines = dockerfile.arguments.map { "global ARG \($0.name)\($0.value.map { "=⟨\($0)⟩" } ?? "")" }
    for stage in dockerfile.stages {
        lines.append("\(stage.position.line): FROM ⟨\(stage.base)⟩ as \(stage.displayName)")
        for instruction in stage.instructions {
            let place =
                instruction.lastLine > instruction.position.line
                ? "\(instruction.position.line)-\(instruction.lastLine)" : "\(instruction.position.line)"
            lines.append("  \(place): " + dump(instruction.kind))
        }
    }
    return lines.map { $0.replacing("\n", with: "⏎") + "\n" }.joined()
}

private func dump(_ kind: Instruction.Kind) -> String {
    func list(_ words: [String]) -> String { words.map { "⟨\($0)⟩" }.joined(separator: " ") }
    func command(_ command: CommandLine?) -> String {
        switch command {
        case nil: "none"
        case .shell(let line): "shell ⟨\(line)⟩"
        case .exec(let words): "exec \(list(words))"
        }
    }
    func pairs(_ pairs: [NameAndValue]) -> String {
        pairs.map { "\($0.name)=⟨\($0.value)⟩" }.joined(separator: " ")
    }
    switch kind {
    case .argument(let all):
        return "ARG " + all.map { $0.name + ($0.value.map { "=⟨\($0)⟩" } ?? "") }.joined(separator: " ")
    case .environment(let all): return "ENV " + pairs(all)
    case .label(let all): return "LABEL " + pairs(all)
    case .workingDirectory(let path): return "WORKDIR ⟨\(path)⟩"
    case .copy(let copy):
        let sources = copy.sources.map { source in
            switch source {
            case .path(let path): "⟨\(path)⟩"
            case .inline(let heredoc):
                "inline \(heredoc.name) expands=\(heredoc.expands) ⟨\(heredoc.content)⟩"
            }
        }
        let flags = [("from", copy.from), ("chown", copy.owner), ("chmod", copy.mode)]
            .compactMap { name, value in value.map { " \(name)=⟨\($0)⟩" } }.joined()
        return (copy.isAdd ? "ADD " : "COPY ") + sources.joined(separator: " ") + " → ⟨\(copy.destination)⟩"
            + flags
    case .run(let run): return "RUN " + (run.shellText.map { "shell ⟨\($0)⟩" } ?? command(run.command))
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
    }
}

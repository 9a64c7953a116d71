import EscaleArchive
import EscaleCore
import EscaleDockerfile
import EscaleImages
import EscaleOCI
import EscaleSystem

extension StageBuilder {
    func perform(
        _ run: RunInstruction,
        _ index: Int,
        _ instruction: Instruction,
        _ step: BuildStep,
        _ state: inout StageState,
        sources: @escaping Sources
    ) async throws {
        let known = state
        try expectRunnable(run, known)
        let script = Script(run)
        let arguments = script?.arguments ?? run.shellText.map { known.shell + [$0] } ?? known.arguments(of: run.command)
        var environment = known.arguments.merging(known.config.config.environmentByName) { _, own in own }
        environment["PATH"] = environment["PATH"] ?? ImageDefaults.standard.environmentValue("PATH")
        let user = known.config.config.user ?? ""
        let network = run.network.flatMap(BuildRun.Network.init) ?? build.request.network
        let mounts = try await plan(run.mounts, index, known, step, sources)
        var key = StepKey("run")
        key.add(known.layers)
        key.add(arguments)
        key.add(environment.map { "\($0.key)=\($0.value)" }.sorted())
        key.add(known.workingDirectory)
        key.add(user)
        // As it was before there were mounts, so that what is cached stays.
        if !mounts.isEmpty { for mount in mounts { key.add(mount.description) } }
        if network != .usual { key.add("network \(network.rawValue)") }
        if let script { key.add(script.content) }
        for name in BuildArguments.proxies where environment[name] == nil {
            environment[name] = build.arguments.given[name]
        }
        try await makeLayer(key.finish(), step, &state) { [environment] area in
            var command = BuildRun(
                lower: build.store.lowerDirectories(of: known.layers),
                upper: area.upper,
                work: area.work,
                arguments: arguments,
                environment: environment,
                workingDirectory: known.workingDirectory,
                user: user
            )
            command.network = network
            command.extraHosts = build.request.extraHosts
            command.limits = build.request.limits
            if let script { command.mounts.append(script.mount) }
            try await withMounts(mounts, step, area, sources, &command) { command in
                try await execute(command, run, instruction, step, area)
            }
            let tree = build.store.tree(of: known.layers)
            let targets = command.mounts.map(\.target)
            try await blocking { try removeRuntimeArtefacts(from: area.upper, below: tree, mounts: targets) }
        }
    }

    private func expectRunnable(_ run: RunInstruction, _ state: StageState) throws(EscaleError) {
        guard run.security != "insecure" else {
            throw EscaleError(
                .init("build.unsupported"), "RUN --security=insecure is not supported: builds run unprivileged")
        }
        let machine = state.config.architecture
        guard machine == hostArchitecture() else {
            throw EscaleError(
                .init("build.platform"), "RUN can't run a program for \(machine) on this \(hostArchitecture()) machine",
                hint: "run it in a stage FROM --platform=$BUILDPLATFORM, and COPY what it makes")
        }
    }

    private func execute(
        _ command: BuildRun,
        _ run: RunInstruction,
        _ instruction: Instruction,
        _ step: BuildStep,
        _ area: WorkArea
    ) async throws {
        let lines = OutputLines { await build.report(.output(step: step.id, line: $0)) }
        let exitCode = try await build.runner.run(command) { await lines.take($0) }
        await lines.finish()
        guard exitCode != 0 else { return }
        var error = EscaleError.stepFailed(
            instruction,
            step,
            command: run.shellText ?? command.arguments.joined(separator: " "),
            exitCode: exitCode,
            output: lines.tail(20),
            excerpt: build.excerpt(instruction.position.line...max(instruction.lastLine, instruction.position.line))
        )
        guard build.request.keepsFailure else { throw error }
        var kept = command
        // What is gone with the step can't be mounted again.
        kept.mounts = []
        let name = build.failures.keep(kept, area)
        error = EscaleError(
            error.code, error.message, hint: error.hint, details: error.details + [.init("kept", name)],
            diagnostics: error.diagnostics)
        throw KeptFailure(error: error)
    }
}

/// A heredoc that begins with `#!` and is the whole command: a script for the interpreter that it names.
private struct Script {
    static let place = "/dev/pipes"

    let arguments: [String]
    let content: String
    let mount: ContainerSpec.Mount

    init?(_ run: RunInstruction) {
        guard run.heredocs.count == 1, let text = run.shellText, text.hasPrefix("#!"), let heredoc = run.heredocs.first
        else { return nil }
        let line = text.dropFirst(2).prefix { !$0.isNewline }
        let words = line.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        guard let interpreter = words.first else { return nil }
        let path = "\(Self.place)/\(heredoc.name)"
        arguments = [interpreter] + words.dropFirst() + [path]
        content = text
        mount = ContainerSpec.Mount(.file(ProvidedFile(.text(text), mode: 0o755)), target: path, readOnly: true)
    }
}

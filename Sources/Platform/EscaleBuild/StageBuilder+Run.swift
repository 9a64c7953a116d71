import EscaleCore
import EscaleDockerfile
import EscaleImages
import EscaleOCI
import EscaleSystem

extension StageBuilder {
    func perform(
        _ run: RunInstruction,
        _ instruction: Instruction,
        _ step: BuildStep,
        _ state: inout StageState
    ) async throws {
        let known = state
        let arguments = run.shellText.map { known.shell + [$0] } ?? known.arguments(of: run.command)
        var environment = known.arguments.merging(known.config.config.environmentByName) { _, own in own }
        environment["PATH"] = environment["PATH"] ?? ImageDefaults.standard.environmentValue("PATH")
        let user = known.config.config.user ?? ""
        var key = StepKey("run")
        key.add(known.layers)
        key.add(arguments)
        key.add(environment.map { "\($0.key)=\($0.value)" }.sorted())
        key.add(known.workingDirectory)
        key.add(user)
        for name in BuildArguments.proxies where environment[name] == nil {
            environment[name] = build.arguments.given[name]
        }
        try await makeLayer(key.finish(), step, &state) { [environment] area in
            let lines = OutputLines { await build.report(.output(step: step.id, line: $0)) }
            let exitCode = try await build.runner.run(
                BuildRun(
                    lower: build.store.lowerDirectories(of: known.layers),
                    upper: area.upper,
                    work: area.work,
                    arguments: arguments,
                    environment: environment,
                    workingDirectory: known.workingDirectory,
                    user: user
                )
            ) { await lines.take($0) }
            await lines.finish()
            guard exitCode == 0 else {
                let command = run.shellText ?? arguments.joined(separator: " ")
                throw EscaleError.stepFailed(
                    instruction,
                    step,
                    command: command,
                    exitCode: exitCode,
                    output: lines.tail(20)
                )
            }
            let tree = build.store.tree(of: known.layers)
            try await blocking { try removeRuntimeArtefacts(from: area.upper, below: tree) }
        }
    }
}

import EscaleCore

/// The instructions of stages, each with what is known before it.
extension CheckRun {
    /// - Parameter needed: the stages to look at.
    mutating func checkStages(_ needed: Set<Int>) {
        let globals = globalArguments(given: arguments)
        var scopes: [StageScope] = []
        for stage in dockerfile.stages {
            var scope = StageScope()
            if let base = stageBase(stage, globals) {
                if let parent = dockerfile.stage(named: base, before: stage.index) {
                    scope = scopes[parent.index]
                }
            } else {
                scope.isUnsure = true
            }
            if needed.contains(stage.index) { checkMultiple(in: stage) }
            for instruction in stage.instructions {
                if needed.contains(stage.index) { check(instruction, scope) }
                scope.apply(instruction, escape: escape, arguments: arguments, globals: globals)
            }
            scopes.append(scope)
        }
    }

    /// `nil` where it depends on what isn't known.
    private func stageBase(_ stage: BuildStage, _ globals: [String: String]) -> String? {
        var scope = StageScope()
        scope.values = globals.merging(arguments.filter { Self.platformArguments.contains($0.key) }) { $1 }
        return scope.expanded(stage.base, escape: escape)
    }

    private mutating func check(_ instruction: Instruction, _ scope: StageScope) {
        checkVariables(of: instruction, scope)
        let position = instruction.position
        switch instruction.kind {
        case .argument(let declarations): checkSecrets("ARG", declarations.map(\.name), position)
        case .environment(let pairs):
            checkSecrets("ENV", pairs.map(\.name), position)
            checkForm("ENV", position)
        case .label: checkForm("LABEL", position)
        case .workingDirectory(let path): checkWorkingDirectory(path, position, scope)
        case .copy(let copy): checkIgnored(copy, position, scope)
        case .expose(let ports): checkPorts(ports, position, scope)
        case .command(let line): checkShellForm("CMD", line, position, scope)
        case .entrypoint(let line): checkShellForm("ENTRYPOINT", line, position, scope)
        case .maintainer: report(.maintainerDeprecated, "MAINTAINER is deprecated", position)
        case .run, .user, .volume, .healthcheck, .shell, .stopSignal, .onBuild: break
        }
    }

    /// All but the last are reported, for they are the ones that do nothing.
    private mutating func checkMultiple(in stage: BuildStage) {
        var last: [String: SourcePosition] = [:]
        for instruction in stage.instructions {
            let name: String
            switch instruction.kind {
            case .command: name = "CMD"
            case .entrypoint: name = "ENTRYPOINT"
            case .healthcheck: name = "HEALTHCHECK"
            default: continue
            }
            if let before = last[name] {
                report(
                    .multipleInstructionsDisallowed,
                    "this \(name) does nothing, because line \(instruction.position.line) has another",
                    before
                )
            }
            last[name] = instruction.position
        }
    }

    private mutating func checkShellForm(
        _ name: String,
        _ line: CommandLine,
        _ position: SourcePosition,
        _ scope: StageScope
    ) {
        guard case .shell(let text) = line, !text.isEmpty, !scope.hasShell else { return }
        report(.jsonArgsRecommended, "\(name) in the shell form keeps signals from the program", position)
    }

    /// `ENV name value`, without `=`.
    private mutating func checkForm(_ name: String, _ position: SourcePosition) {
        guard let first = words(at: position).first, !first.text.contains("=") else { return }
        report(
            .legacyKeyValueFormat,
            "\(name) \(first.text) has a blank where = is wanted",
            position,
            hint: "write \(name) \(first.text)=value"
        )
    }

    private mutating func checkWorkingDirectory(
        _ path: String,
        _ position: SourcePosition,
        _ scope: StageScope
    ) {
        guard !scope.hasWorkingDirectory, !scope.isUnsure, let full = scope.expanded(path, escape: escape),
            !full.hasPrefix("/")
        else { return }
        report(
            .workdirRelativePath,
            "the first WORKDIR, \(path), is relative, so the base image decides where it is",
            position
        )
    }

    private mutating func checkPorts(_ ports: [String], _ position: SourcePosition, _ scope: StageScope) {
        let places = words(at: position)
        for (index, word) in ports.enumerated() {
            guard let port = scope.expanded(word, escape: escape) else { continue }
            let place = places.indices.contains(index) ? places[index].position : position
            let parts = port.split(separator: "/", maxSplits: 1)
            if parts.count == 2, parts[1].lowercased() != parts[1] {
                report(
                    .exposeProtoCasing,
                    "the protocol in \(word) has capital letters",
                    place,
                    hint: "write \(parts[0])/\(parts[1].lowercased())"
                )
            }
            if parts.first?.contains(":") == true {
                report(.exposeInvalidFormat, "\(word) has an address or a host's port", place)
            }
        }
    }
}

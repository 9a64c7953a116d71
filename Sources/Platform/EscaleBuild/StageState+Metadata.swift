import EscaleCore
import EscaleDockerfile
import EscaleOCI

extension StageState {
    /// Applies an instruction that changes no files. The others, `WORKDIR` among them, are for ``StageBuilder``.
    ///
    /// - Throws: `dockerfile.expansion`, `build.port`.
    mutating func apply(_ kind: Instruction.Kind, escape: Character, arguments given: BuildArguments)
        throws(EscaleError)
    {
        let before = self
        func expand(_ word: String) throws(EscaleError) -> String {
            try expandWord(word, escape: escape) { before.value($0) }
        }
        switch kind {
        case .argument(let declarations):
            for declaration in declarations {
                let known = self
                let value = try declaration.value.map { text throws(EscaleError) in
                    try expandWord(text, escape: escape) { known.value($0) }
                }
                arguments[declaration.name] = given.value(declaration.name, default: value)
            }
        case .environment(let pairs):
            for pair in pairs { config.config.setEnvironment(try expand(pair.name), try expand(pair.value)) }
        case .label(let pairs):
            for pair in pairs { config.config.labels[try expand(pair.name)] = try expand(pair.value) }
        case .user(let word): config.config.user = try expand(word)
        case .expose(let words):
            for word in words {
                for port in try expand(word).split(separator: " ") { try expose(String(port)) }
            }
        case .volume(let words):
            for word in words { config.config.volumes.insert(try expand(word)) }
        case .command(let command):
            config.config.command = list(command)
            hasOwnCommand = true
        case .entrypoint(let command):
            config.config.entrypoint = list(command)
            if !hasOwnCommand { config.config.command = nil }
        case .healthcheck(let check): config.config.healthcheck = ImageHealthcheck(check)
        case .shell(let words): config.config.shell = words
        case .maintainer(let word): config.author = try expand(word)
        case .onBuild(let text): config.config.onBuild = (config.config.onBuild ?? []) + [text]
        case .stopSignal(let word): config.config.stopSignal = try expand(word)
        case .workingDirectory, .copy, .run: break
        }
    }

    private func list(_ command: CommandLine) -> [String]? {
        if case .shell("") = command { return nil }
        return arguments(of: command)
    }

    /// `80`, `80/udp`, `8000-8010/tcp`
    private mutating func expose(_ text: String) throws(EscaleError) {
        let parts = text.lowercased().split(separator: "/", omittingEmptySubsequences: false)
        let ports = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        let transport = parts.count > 1 ? String(parts[1]) : "tcp"
        guard parts.count <= 2, ["tcp", "udp", "sctp"].contains(transport), ports.count <= 2,
            let first = ports[0],
            let last = ports[ports.count - 1], first > 0, first <= last
        else {
            throw EscaleError(
                .init("build.port"),
                "\"\(text)\" is not a port",
                hint: "write it like 80, 53/udp or 8000-8010"
            )
        }
        for port in first...last { config.config.exposedPorts.insert("\(port)/\(transport)") }
    }
}

extension ImageHealthcheck {
    fileprivate init(_ check: HealthcheckInstruction) {
        let test: Test =
            switch check.command {
            case nil: .none
            case .shell(let line): .shell(line)
            case .exec(let words): .exec(words)
            }
        self.init(test: test)
        interval = check.interval
        timeout = check.timeout
        startPeriod = check.startPeriod
        startInterval = check.startInterval
        retries = check.retries
    }
}

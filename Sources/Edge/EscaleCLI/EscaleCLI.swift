import EscaleAPI
package import EscaleCore
import EscaleSystem
import Glibc

/// The `escale` program.
package enum EscaleCLI {
    package static let name = "escale"

    /// Does what the words say; the result is the process's exit code: 0 done, 1 failed, 2 usage, 130 interrupted.
    ///
    /// - Parameter arguments: the program's name first.
    package static func run(_ arguments: [String]) async -> Int32 {
        let environment = processEnvironment()
        let interrupts = Interrupts()
        let words = Array(arguments.dropFirst())
        // Without a pipe to be had signals end the process as they always do.
        let signals = try? Interrupts.catchSignals()
        let work = Task { await run(words, environment, interrupts) }
        if let signals {
            Task {
                try await interrupts.listen(signals) { signal, before in
                    // The second one doesn't wait for anything.
                    if before > 0 { endNow(128 + signal) }
                    work.cancel()
                }
            }
        }
        let code = await work.value
        return interrupts.received.map { 128 + $0 } ?? code
    }

    private static func run(_ words: [String], _ environment: [String: String], _ interrupts: Interrupts)
        async -> Int32
    {
        await run(
            words,
            environment: environment,
            workingDirectory: currentDirectory(),
            interrupts: interrupts,
            console: { Console.standard(ansi: $0.ansi, environment: environment) }
        )
    }

    /// The same with everything that the process would give: what tests call.
    ///
    /// - Parameter words: without the program's name.
    package static func run(
        _ words: [String],
        environment: [String: String],
        workingDirectory: String,
        interrupts: Interrupts,
        console makeConsole: (GlobalOptions) -> Console
    ) async -> Int32 {
        var console = makeConsole(GlobalOptions())
        do {
            let parser = FlagParser(
                flags: GlobalOptions.flags,
                unavailable: GlobalOptions.unavailable,
                stopsAtOperand: true,
                command: name
            )
            guard case .parsed(let globals, let rest) = try parser.parse(words, into: GlobalOptions()) else {
                console.write(HelpText.root())
                return 0
            }
            console = makeConsole(globals)
            if globals.showVersion {
                console.print("Escale version \(Version.current)")
                return 0
            }
            let session = Session(
                globals: globals,
                console: console,
                environment: environment,
                workingDirectory: workingDirectory,
                interrupts: interrupts
            )
            return try await dispatch(rest, in: session)
        } catch {
            return report(EscaleError(wrapping: error), on: console)
        }
    }

    private static func dispatch(_ words: [String], in session: Session) async throws -> Int32 {
        if words.isEmpty {
            session.console.write(HelpText.root(), to: .error)
            return 2
        }
        if words.first == "help" { return try help(Array(words.dropFirst()), on: session.console) }
        switch try CommandTable.find(words) {
        case .groupHelp(let group):
            session.console.write(HelpText.group(group))
            return 0
        case .command(let entry, let rest):
            switch try entry.parse(rest) {
            case .help:
                session.console.write(HelpText.command(entry))
                return 0
            case .run(let body): return try await body(session)
            }
        }
    }

    private static func help(_ words: [String], on console: Console) throws -> Int32 {
        if words.isEmpty {
            console.write(HelpText.root())
            return 0
        }
        switch try CommandTable.find(words) {
        case .groupHelp(let group): console.write(HelpText.group(group))
        case .command(let entry, _): console.write(HelpText.command(entry))
        }
        return 0
    }

    private static func report(_ error: EscaleError, on console: Console) -> Int32 {
        let code = exitCode(for: error)
        if error.code != .interrupted {
            let shown = error.laidOut(rows: console.error.isTerminal ? console.size.rows : nil)
            let text = Style(console.error).errorText(shown.rendered(sources: { SourceLines.read($0) }))
            console.write(text, to: .error)
        }
        return code
    }

    /// 2 for wrong usage, 130 for an interruption, 1 for any other failure.
    package static func exitCode(for error: EscaleError) -> Int32 {
        switch error.code {
        case .usage: 2
        case .interrupted: 130
        case _: 1
        }
    }
}

/// Ends the process at once and leaves the terminal usable.
private func endNow(_ code: Int32) {
    if isatty(2) == 1 { _ = "\u{1B}[?25h\n".withCString { write(2, $0, strlen($0)) } }
    _exit(code)
}

/// The process's environment as it was at its start.
private func processEnvironment() -> [String: String] {
    // A process that can't read its own environment is left with none.
    guard let bytes = try? Files.read("/proc/self/environ") else { return [:] }
    var environment: [String: String] = [:]
    for entry in bytes.split(separator: 0) {
        guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
        let name = String(decoding: entry[..<equals], as: UTF8.self)
        environment[name] = String(decoding: entry[(equals + 1)...], as: UTF8.self)
    }
    return environment
}

private func currentDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "/" }
    defer { free(path) }
    return String(cString: path)
}

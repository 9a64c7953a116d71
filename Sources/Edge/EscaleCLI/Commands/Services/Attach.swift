import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale attach`
enum Attach: CLICommand {
    struct Options: CommandOptions {
        var index = 1
        var noInput = false
        var passesSignals = true
        var detachKeys = DetachKeys.standard
    }

    static let path = ["attach"]
    static let summary = "Be at the input and output of a running container"
    static let details: String? = """
        What it wrote before is in `escale logs`. Its exit code becomes that of escale. ctrl-p ctrl-q leaves it running, at a \
        terminal; it reads input where its file says `stdin_open` or `tty`.
        """
    static let operands = Operands.exactly("SERVICE")
    static let flags: [Flag<Options>] = [
        .value("index", nil, "N", "Which replica of the service, from 1") { $0.index = try Values.count($1) },
        .toggle("no-stdin", nil, \.noInput, "Send it nothing"),
        .toggle("sig-proxy", nil, \.passesSignals, "Send it the signals that escale gets; the default"),
        .value("detach-keys", nil, "KEYS", "What detaches when typed; ctrl-p,ctrl-q by default") {
            $0.detachKeys = try DetachKeys.parse($1)
        },
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let container = try await session.container(operands[0], index: options.index)
        let handle = ContainerHandle(id: container.id, name: container.name)
        return try await session.attached(
            to: handle, readsInput: !options.noInput, detachKeys: options.detachKeys, starts: false,
            passesSignals: options.passesSignals, client)
    }
}

extension Session {
    /// The running container of a service.
    ///
    /// - Throws: `container.not-running` where that replica doesn't run.
    func container(_ service: String, index: Int) async throws -> ContainerSummary {
        let target = try target()
        let name = try target.services([service])[0]
        let found = try await client().containers(of: target.name).last {
            $0.service == name && $0.slot == index && $0.isRunning
        }
        guard let found else {
            throw EscaleError(
                .init("container.not-running"), "no container \(index) of \(name) runs", hint: "see `escale ps -a`")
        }
        return found
    }
}

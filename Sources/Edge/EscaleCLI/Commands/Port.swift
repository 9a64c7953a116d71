import EscaleAPI
import EscaleClient
import EscaleCompose
import EscaleCore

/// `escale port`
enum Port: CLICommand {
    struct Options: CommandOptions {
        var index = 1
        var transport = Transport.tcp
    }

    enum Transport: String, CaseIterable, Sendable { case tcp, udp }

    static let path = ["port"]
    static let summary = "Print where a service's port is published"
    static let operands = Operands.exactly("SERVICE", "PRIVATE_PORT")
    static let flags: [Flag<Options>] = [
        .value("index", nil, "N", "Which replica of the service, from 1") { $0.index = try Values.count($1) },
        .choice("protocol", \.transport, "Which kind of port"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let port = try Values.port(operands[1])
        let client = try session.client()
        let target = try session.target()
        let service = try target.services([operands[0]])[0]
        let container = try await client.containers(of: target.name).first {
            $0.service == service && $0.slot == options.index && $0.isLive
        }
        guard let container else {
            throw EscaleError(
                .init("container.not-running"),
                "no container \(options.index) of \(service) runs",
                hint: "see `escale ps -a`"
            )
        }
        let published = container.ports.first {
            $0.containerPort == port && $0.transport.rawValue == options.transport.rawValue
        }
        guard let published else {
            throw EscaleError(
                .init("port.not-published"),
                "port \(port)/\(options.transport.rawValue) of \(service) is not published",
                hint: container.ports.isEmpty
                    ? "publish it under `ports` in the file" : "published: \(container.portsText)"
            )
        }
        session.console.print(published.listener)
        return 0
    }
}

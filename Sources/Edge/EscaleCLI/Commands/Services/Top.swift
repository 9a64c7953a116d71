import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale top`
enum Top: CLICommand {
    static let path = ["top"]
    static let summary = "Show the processes of containers"
    static let operands = Operands.services
    static let details: String? = "Numbers of processes and users are the host's."

    static func run(_ options: NoOptions, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let target = try session.target()
        let services = try target.services(operands)
        let running = try await client.containers(of: target.name).filter {
            (services.isEmpty || services.contains($0.service)) && $0.isRunning
        }
        var isFirst = true
        for container in running {
            // One that has ended since is left out.
            guard let processes = try? await client.processes(of: container.id.rawValue) else { continue }
            var table = Table("UID", "PID", "PPID", "TIME", "CMD")
            for process in processes {
                table.add(
                    "\(process.user)", "\(process.pid)", "\(process.parent)", time(process.time),
                    DisplayWidth.plain(process.command))
            }
            session.console.print((isFirst ? "" : "\n") + container.name)
            session.console.write(table.rendered())
            isFirst = false
        }
        return 0
    }

    /// `00:01:07`
    private static func time(_ time: Duration) -> String {
        let seconds = Int(time / .seconds(1))
        return [seconds / 3600, seconds / 60 % 60, seconds % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
    }
}

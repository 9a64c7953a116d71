import EscaleAPI
import EscaleCompose
import EscaleCore

extension ContainerSummary {
    /// As `ps` shows it: `Up 5 seconds (healthy)`, `Exited (3) 2 minutes ago`.
    func statusText(now: Timestamp) -> String {
        func ago(_ time: Timestamp?) -> String { time.map { " \((now - $0).spokenText) ago" } ?? "" }
        let code = exitCode.map { " (\($0)\(reason == "out of memory" ? ", out of memory" : ""))" } ?? ""
        switch state {
        case .created: return "Created"
        case .running: return "Up" + (startedAt.map { " \((now - $0).spokenText)" } ?? "") + healthText + crashText
        case .paused: return "Up" + (startedAt.map { " \((now - $0).spokenText)" } ?? "") + " (Paused)"
        case .restarting: return "Restarting\(code)\(ago(finishedAt))\(crashText)"
        case .exited: return "Exited\(code)\(ago(finishedAt))"
        case .stopping: return "Stopping"
        case .unknown: return "Unknown" + (reason.map { ": \($0)" } ?? "")
        }
    }

    /// Said of one that keeps ending soon after its start.
    private var crashText: String {
        guard let failures, failures >= 3 else { return "" }
        return ", crash loop: \(failures) times in a row"
    }

    private var healthText: String {
        switch health {
        case .starting: " (health: starting)"
        case .healthy: " (healthy)"
        case .unhealthy: " (unhealthy)"
        case nil: ""
        }
    }

    /// The command in quotes, cut to a length that keeps the table readable.
    func commandText(whole: Bool) -> String {
        let text = command.joined(separator: " ")
        return "\"" + (whole ? text : DisplayWidth.fit(DisplayWidth.plain(text), 20)) + "\""
    }

    /// `0.0.0.0:8080->80/tcp, 127.0.0.1:53->53/udp`
    var portsText: String { ports.map(\.description).joined(separator: ", ") }
}

extension ContainerSummary.Port {
    var description: String { "\(listener)->\(containerPort)/\(transport.rawValue)" }

    /// Where the host listens: `0.0.0.0:8080`, `[::1]:8080`.
    var listener: String {
        let address = hostAddress ?? "0.0.0.0"
        return (address.contains(":") ? "[\(address)]" : address) + ":\(hostPort)"
    }
}

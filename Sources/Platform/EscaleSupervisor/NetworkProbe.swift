import EscaleCompose
import EscaleCore
import EscaleHTTP
import EscaleNetlink
import EscaleSystem

/// Asks a container over the network whether it is well: no process is made for it.
struct NetworkProbe {
    private let probe: ServiceProbe
    private let address: IPv4Address
    private let timeout: Duration

    init(_ probe: ServiceProbe, address: IPv4Address, timeout: Duration) {
        self.probe = probe
        self.address = address
        self.timeout = timeout
    }

    /// `nil` where it is well, else why it isn't.
    func complaint() async -> String? {
        do {
            switch probe.kind {
            case .tcp: return try await connects()
            case .http(let path): return try await asks(path)
            }
        } catch {
            return EscaleError(wrapping: error).message
        }
    }

    private func connects() async throws -> String? {
        let (address, port) = (address, probe.port)
        let limit = timeout
        let answers = try await blocking { try PortCheck.answers(address, port, within: limit) }
        return answers ? nil : "port \(port) takes no connection"
    }

    private func asks(_ path: String) async throws -> String? {
        var request = HTTPRequest(.get, path)
        request.headers["User-Agent"] = "escale-probe"
        let client = try HTTPClient(.tcp(host: "\(address)", port: probe.port))
        let response = try await client.send(request, timeout: timeout)
        let code = response.status.rawValue
        if (200..<400).contains(code) { return nil }
        let words = String(decoding: response.body.prefix(500), as: UTF8.self)
        return "GET \(path) at port \(probe.port): \(code)" + (words.isEmpty ? "" : "\n\(words)")
    }
}

package import EscaleCompose
import EscaleCore
import EscaleHTTP
package import EscaleRelease
import EscaleSystem
import FoundationEssentials

/// What an analysis asks besides the traffic: a server of Prometheus, a command.
package enum AnalysisChecks {
    /// The answers, one for each. Whatever goes wrong is an answer too.
    package static func run(_ analysis: Analysis) async -> [ServiceView.Check] {
        var results: [ServiceView.Check] = []
        if let query = analysis.prometheus { results.append(await ask(query)) }
        if let command = analysis.command { results.append(await run(command)) }
        return results
    }

    private static func run(_ arguments: [String]) async -> ServiceView.Check {
        let name = "command"
        guard let program = arguments.first else { return .init(name: name, verdict: .error, text: "it is empty") }
        do {
            let result = try await Command(program, Array(arguments.dropFirst())).run(timeout: .seconds(60))
            let words = result.tail().split(separator: "\n").last.map { ": \($0)" } ?? ""
            switch result.status {
            case 0: return .init(name: name, verdict: .successful, text: "exit code 0\(words)")
            case 1: return .init(name: name, verdict: .failed, text: "exit code 1\(words)")
            default: return .init(name: name, verdict: .error, text: "exit code \(result.status)\(words)")
            }
        } catch {
            return .init(name: name, verdict: .error, text: EscaleError(wrapping: error).message)
        }
    }

    private struct Answer: Decodable {
        struct Data: Decodable {
            struct Sample: Decodable { let value: [PrometheusValue] }
            let result: [Sample]
        }
        let data: Data
    }

    private static func ask(_ query: Analysis.Query) async -> ServiceView.Check {
        let name = "query \(query.query)"
        do {
            let server = try PlainAddress(query.server)
            let path = "\(server.path)/api/v1/query?query=\(query.query.addingPercentEncoding)"
            let response = try await HTTPClient(.tcp(host: server.host, port: server.port))
                .send(HTTPRequest(.get, path), timeout: .seconds(10))
            guard response.status.rawValue == 200 else {
                return .init(name: name, verdict: .error, text: "Prometheus answered \(response.status.rawValue)")
            }
            let answer = try JSONDecoder().decode(Answer.self, from: Data(response.body))
            guard let value = answer.data.result.first?.value.last?.number else {
                return .init(name: name, verdict: .inconclusive, text: "no value")
            }
            let isGood = value >= query.minimum ?? -.infinity && value <= query.maximum ?? .infinity
            let limits = [query.minimum.map { "min \($0)" }, query.maximum.map { "max \($0)" }].compactMap { $0 }
            return .init(
                name: name, verdict: isGood ? .successful : .failed,
                text: "\(value) (\(limits.joined(separator: ", ")))")
        } catch {
            return .init(name: name, verdict: .error, text: EscaleError(wrapping: error).message)
        }
    }
}

/// The base address of a server, such as `http://127.0.0.1:9090/prometheus`.
private struct PlainAddress {
    let host: String
    let port: UInt16
    let path: String

    init(_ text: String) throws(EscaleError) {
        let rest = text.hasPrefix("http://") ? text.dropFirst(7) : Substring(text)
        let authority = rest.prefix { $0 != "/" }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard !text.hasPrefix("https:"), let name = parts.first, !name.isEmpty, parts.count <= 2,
            let port = parts.count == 2 ? UInt16(parts[1]) : 80
        else {
            throw EscaleError(
                .invalidInput, "\"\(text)\" is not the address of a Prometheus server",
                hint: "write it as http://HOST:PORT; TLS is not supported for queries")
        }
        host = String(name)
        self.port = port
        path = String(rest.dropFirst(authority.count).reversed().drop { $0 == "/" }.reversed())
    }
}

/// A member of Prometheus' `[time, "value"]`.
private struct PrometheusValue: Decodable {
    let number: Double?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            number = Double(text)
        } else {
            number = try container.decode(Double.self)
        }
    }
}

extension String {
    /// For a query: everything but letters, digits and `-._~` as `%XX`.
    fileprivate var addingPercentEncoding: String {
        utf8.map { byte in
            let isPlain =
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || [45, 46, 95, 126].contains(byte)
            let hex = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + (hex.count == 1 ? "0" + hex : hex)
        }.joined()
    }
}

import EscaleCore
import EscaleGateway

/// The gateway's counters by service, release and replica, in Prometheus' text format 0.0.4. Pure.
struct GatewayMetrics {
    private let samples: [(labels: String, counters: ServerCounters)]

    /// - Parameter containers: of all projects; those that the gateway doesn't serve have no samples.
    init(_ counters: [ContainerID: ServerCounters], containers: [ContainerRecord]) {
        samples = containers.sorted { ($0.project, $0.replica, $0.id) < ($1.project, $1.replica, $1.id) }
            .compactMap { container in
                let labels =
                    "project=\"\(container.project)\",service=\"\(container.replica.service)\","
                    + "release=\"\(container.replica.generation)\",container=\"\(container.id.short)\""
                return counters[container.id].map { (labels, $0) }
            }
    }

    var text: String {
        family("responses_total", "Answers of the replica, by class of status.", [
            (",code=\"2xx\"", \.status2xx), (",code=\"3xx\"", \.status3xx), (",code=\"4xx\"", \.status4xx),
            (",code=\"5xx\"", \.status5xx),
        ])
            + family("requests_total", "Requests that were sent to the replica.", [("", \.requests)])
            + family("connect_errors_total", "Connections that the replica refused.", [("", \.connectionErrors)])
            + family("response_errors_total", "Answers that broke off or were none.", [("", \.responseErrors)])
            + family("retries_total", "Requests that were sent again.", [("", \.retries)])
            + family("request_bytes_total", "Bytes sent to the replica.", [("", \.bytesIn)])
            + family("response_bytes_total", "Bytes that the replica sent.", [("", \.bytesOut)])
    }

    private func family(
        _ name: String, _ help: String, _ values: [(label: String, path: KeyPath<ServerCounters, Int64>)]
    ) -> String {
        let full = "escale_gateway_\(name)"
        var lines = ["# HELP \(full) \(help)", "# TYPE \(full) counter"]
        for sample in samples {
            for value in values {
                lines.append("\(full){\(sample.labels)\(value.label)} \(sample.counters[keyPath: value.path])")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

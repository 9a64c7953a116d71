package import EscaleCompose
import EscaleCore

/// When a container that ended is started again, as Docker does it: 100 ms, doubled with every failure, at most a minute.
package enum RestartDelay {
    /// A container that ran this long starts over with the shortest delay.
    package static let stableAfter = Duration.seconds(10)

    /// - Parameter failures: how often in a row it ended before ``stableAfter``; 0 counts as 1.
    package static func delay(failures: Int) -> Duration {
        let doublings = min(max(failures, 1) - 1, 10)
        return min(.milliseconds(100 << doublings), .seconds(60))
    }

    /// Whether the policy starts a container again that ended with this code, by itself or with the machine.
    package static func applies(
        _ policy: RestartPolicy, code: Int32, failures: Int, endedWithHost: Bool = false
    ) -> Bool {
        switch policy {
        case .no: false
        case .always, .unlessStopped: true
        case .onFailure(let retries): !endedWithHost && code != 0 && retries.map { failures <= $0 } ?? true
        }
    }
}

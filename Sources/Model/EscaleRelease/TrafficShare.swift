package import EscaleCore

/// Who takes a service's new requests and connections, and with which weight: the same rule at every layer.
package enum TrafficShare {
    /// A replica as the traffic sees it.
    package struct Candidate: Hashable, Sendable {
        package var container: ContainerID
        /// Whether it is of the version that is being released.
        package var isNew: Bool
        package var isRunning: Bool
        /// Whether nobody can tell yet how it is: the first moments of a replica that is checked.
        package var isStarting: Bool
        /// Running, healthy where it is checked, and listening where it has a port.
        package var isReady: Bool
        /// Whether it is on its way out.
        package var isLeaving: Bool

        package init(
            container: ContainerID, isNew: Bool, isRunning: Bool, isStarting: Bool, isReady: Bool, isLeaving: Bool
        ) {
            self.container = container
            self.isNew = isNew
            self.isRunning = isRunning
            self.isStarting = isStarting
            self.isReady = isReady
            self.isLeaving = isLeaving
        }
    }

    /// The weight of each replica that takes new traffic; replicas that take none are left out.
    ///
    /// Ready replicas take it. Where none is ready, all that run and don't leave do, since one that fails its check may
    /// still answer and nobody else does. A version without a taker leaves its share to the other.
    ///
    /// - Parameters:
    ///   - newShare: percent for the new version; `nil` for the same weight to each replica.
    ///   - waits: whether requests can wait for a replica that starts (at the gateway), so that it takes none before.
    package static func weights(_ candidates: [Candidate], newShare: Int?, waits: Bool) -> [ContainerID: Int] {
        var takers = candidates.filter { $0.isReady && !$0.isLeaving }
        if takers.isEmpty { takers = candidates.filter { $0.isRunning && !$0.isLeaving && !(waits && $0.isStarting) } }
        let new = takers.filter(\.isNew).count
        let old = takers.count - new
        guard let newShare, new > 0, old > 0 else {
            return Dictionary(takers.map { ($0.container, 1) }, uniquingKeysWith: { first, _ in first })
        }
        let share = min(max(newShare, 0), 100)
        // Each version's part is its share, whatever the number of its replicas.
        let weighted = takers.map { ($0.container, $0.isNew ? share * old : (100 - share) * new) }.filter { $0.1 > 0 }
        return Dictionary(weighted, uniquingKeysWith: { first, _ in first })
    }
}

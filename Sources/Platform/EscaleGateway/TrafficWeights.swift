/// HAProxy's server weights, 0...256, for a share of the requests.
///
/// Two taking versions with a share s for the new one get the weights `new : old = s·O/N : (100 − s)`, with N and O the
/// sums of their relative weights, as the pair of whole numbers up to 256 that comes nearest. That is within half a
/// percentage point unless one version has many times the other's replicas and a tiny share: no weight is less than 1.
/// A version without a taking server leaves everything to the other; a share of 0 or 100 takes one version out.
package struct TrafficWeights: Hashable, Sendable {
    /// By the server's place in the backend; `nil` for one that gets no requests.
    package let weights: [Int?]

    package init(_ servers: [GatewayServer], newShare: Int?) {
        let bases = servers.map { min(max($0.weight, 1), Self.limit) }
        let newTotal = zip(servers, bases).reduce(0) { $0 + ($1.0.isTaking && $1.0.isNew ? $1.1 : 0) }
        let oldTotal = zip(servers, bases).reduce(0) { $0 + ($1.0.isTaking && !$1.0.isNew ? $1.1 : 0) }
        guard let newShare, newTotal > 0, oldTotal > 0 else {
            weights = zip(servers, bases).map { $0.isTaking ? $1 : nil }
            return
        }
        if newShare <= 0 || newShare >= 100 {
            weights = zip(servers, bases).map { $0.isTaking && $0.isNew == (newShare >= 100) ? $1 : nil }
            return
        }
        let share = Double(newShare) / 100
        let ideals = zip(servers, bases).map { server, base in
            server.isNew ? share * Double(base) / Double(newTotal) : (1 - share) * Double(base) / Double(oldTotal)
        }
        let largest = zip(servers, ideals).reduce(0) { $1.0.isTaking ? max($0, $1.1) : $0 }
        var best: (error: Double, weights: [Int]) = (.infinity, [])
        // Downwards: of equally good shares the one with the larger numbers keeps the relative weights best.
        for scale in stride(from: Self.limit, through: 1, by: -1) {
            let candidate = ideals.map { max(1, min(Self.limit, Int(($0 / largest * Double(scale)).rounded()))) }
            var new = 0
            var all = 0
            for (server, weight) in zip(servers, candidate) where server.isTaking {
                all += weight
                if server.isNew { new += weight }
            }
            let error = abs(Double(new) / Double(all) - share)
            if error < best.error - 1e-9 { best = (error, candidate) }
        }
        weights = zip(servers, best.weights).map { $0.isTaking ? $1 : nil }
    }

    private static let limit = 256
}

import EscaleCore
import EscaleNetlink

/// A server line of HAProxy's: the slot, from 1, of a backend's view.
struct ServerPlace: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    let proxy: String
    let slot: Int

    /// As the runtime API names it.
    var description: String { "\(proxy)/s\(slot)" }

    static func < (left: Self, right: Self) -> Bool { (left.proxy, left.slot) < (right.proxy, right.slot) }
}

/// What a server line is set to.
struct ServerSetting: Hashable, Sendable {
    var address: IPv4Address
    var port: UInt16
    var weight: Int
    var isReady: Bool
}

/// All that the runtime API can change: the servers in their places and the shares of sticky canaries.
package struct Roster: Hashable, Sendable {
    /// Places that are missing are vacant.
    var servers: [ServerPlace: ServerSetting] = [:]
    /// Hundredths of a percent, by the backend's proxy name.
    var shares: [String: Int] = [:]

    init() {}

    /// The places that take requests; what the others are set to has no effect.
    var serving: [ServerPlace: ServerSetting] { servers.filter(\.value.isReady) }

    package init(_ state: GatewayState, slots: SlotTable) {
        let views = BackendViews(state)
        for backend in state.backends {
            if backend.hasVersions && backend.isSticky { shares[backend.name.proxy] = Self.stickyShare(of: backend) }
            for view in views[backend.name] {
                let weights = Self.weights(of: backend, in: view)
                for (server, weight) in zip(backend.servers, weights) {
                    guard let slot = slots.slot(of: server.container, in: backend.name) else { continue }
                    servers[ServerPlace(proxy: backend.name.proxy(view), slot: slot)] = ServerSetting(
                        address: server.address, port: server.port, weight: weight ?? 1, isReady: weight != nil)
                }
            }
        }
    }

    private static func weights(of backend: GatewayBackend, in view: BackendView) -> [Int?] {
        let servers = backend.servers
        switch view {
        case .main, .any, .passthrough: return TrafficWeights(servers, newShare: backend.newShare).weights
        case .new, .old:
            let all = TrafficWeights(servers, newShare: nil).weights
            return zip(servers, all).map { $0.isNew == (view == .new) ? $1 : nil }
        }
    }

    /// Who isn't named by share has no version of its own: the frontend's rules leave a version without servers alone.
    private static func stickyShare(of backend: GatewayBackend) -> Int {
        if let share = backend.newShare { return min(max(share, 0), 100) * 100 }
        let taking = backend.servers.filter(\.isTaking)
        return taking.isEmpty ? 0 : taking.count(where: \.isNew) * 10_000 / taking.count
    }
}

extension Roster {
    /// The runtime commands that make this roster of the other: who comes first, then weights, then who goes, so that
    /// there is never nobody in between.
    package func commands(from old: Roster, shareFile: String) -> [String] {
        var coming: [String] = []
        var weighing: [String] = []
        var going: [String] = []
        for place in Set(servers.keys).union(old.servers.keys).sorted() {
            let now = servers[place]
            let before = old.servers[place]
            guard let now else {
                if before?.isReady == true { going.append("set server \(place) state maint") }
                continue
            }
            let isElsewhere = before?.address != now.address || before?.port != now.port
            var changes: [String] = []
            if isElsewhere {
                if before?.isReady == true { changes.append("set server \(place) state maint") }
                changes.append("set server \(place) addr \(now.address) port \(now.port)")
            }
            if before?.weight != now.weight { changes.append("set server \(place) weight \(now.weight)") }
            if now.isReady {
                if isElsewhere || before?.isReady != true { changes.append("set server \(place) state ready") }
                if changes.count == 1 && before?.isReady == true && !isElsewhere {
                    weighing += changes
                } else {
                    coming += changes
                }
            } else {
                if before?.isReady == true && !isElsewhere { changes.insert("set server \(place) state maint", at: 0) }
                going += changes
            }
        }
        for (proxy, share) in shares.sorted(by: { $0.key < $1.key }) where old.shares[proxy] != share {
            weighing.append("set map \(shareFile) \(proxy) \(share)")
        }
        return coming + weighing + going
    }
}

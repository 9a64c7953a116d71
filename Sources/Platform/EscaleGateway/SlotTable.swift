import EscaleCore

/// Which container has which server slot of its backend. A container keeps its slot for as long as it is there.
package struct SlotTable: Hashable, Codable, Sendable {
    /// By place: slot 1 is the first.
    private(set) var slots: [BackendName: [ContainerID?]] = [:]

    package init() {}

    /// How many slots a backend is given: room to exchange every replica, so that releases need no reload.
    package static func capacity(for servers: Int) -> Int {
        var capacity = 8
        while capacity < 2 * servers + 2 { capacity *= 2 }
        return capacity
    }

    func capacity(of backend: BackendName) -> Int { slots[backend]?.count ?? 0 }

    func slot(of container: ContainerID, in backend: BackendName) -> Int? {
        slots[backend]?.firstIndex(of: container).map { $0 + 1 }
    }

    func container(in backend: BackendName, slot: Int) -> ContainerID? {
        guard let all = slots[backend], all.indices.contains(slot - 1) else { return nil }
        return all[slot - 1]
    }

    /// The table for this state: who is there stays in place, who is gone leaves a vacant one, who is new takes the
    /// lowest vacant one. A backend that is new or too small gets ``capacity(for:)``, which takes a reload.
    package func updated(for state: GatewayState) -> SlotTable {
        var table = SlotTable()
        for backend in state.backends {
            let present = Set(backend.servers.map(\.container))
            var places = (slots[backend.name] ?? []).map { $0.flatMap { present.contains($0) ? $0 : nil } }
            if places.count < present.count || places.isEmpty {
                let missing = Self.capacity(for: present.count) - places.count
                places += [ContainerID?](repeating: nil, count: missing)
            }
            let placed = Set(places.compactMap { $0 })
            var vacant = places.indices.filter { places[$0] == nil }[...]
            for server in backend.servers where !placed.contains(server.container) {
                guard let index = vacant.popFirst() else { break }  // the same container twice
                places[index] = server.container
            }
            table.slots[backend.name] = places
        }
        return table
    }
}

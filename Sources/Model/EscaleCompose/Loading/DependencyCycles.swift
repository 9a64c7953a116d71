import EscaleCore

/// Finds services that wait for each other in a circle. Works without recursion: a file may chain thousands.
struct DependencyCycles {
    private enum Mark { case open, done }

    private struct Visit {
        let name: ServiceName
        var rest: ArraySlice<ServiceName>
    }

    private let context: LoadContext
    private let names: [ServiceName]
    private let needs: [ServiceName: [ServiceName]]

    init(context: LoadContext, services: [Service]) {
        self.context = context
        names = services.map(\.name)
        needs = Dictionary(
            services.map { ($0.name, $0.dependencies.map(\.service)) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// Reports each circle that a walk from the services in the order of their names runs into, once.
    func report() {
        var marks: [ServiceName: Mark] = [:]
        for start in names where marks[start] == nil {
            var path = [visit(start, &marks)]
            while let last = path.indices.last {
                guard let next = path[last].rest.popFirst() else {
                    marks[path.removeLast().name] = .done
                    continue
                }
                guard needs[next] != nil else { continue }
                switch marks[next] {
                case .open:
                    if let first = path.firstIndex(where: { $0.name == next }) {
                        report(path[first...].map(\.name))
                    }
                case .done: continue
                case nil: path.append(visit(next, &marks))
                }
            }
        }
    }

    private func visit(_ name: ServiceName, _ marks: inout [ServiceName: Mark]) -> Visit {
        marks[name] = .open
        return Visit(name: name, rest: (needs[name] ?? [])[...])
    }

    private func report(_ cycle: [ServiceName]) {
        let edges = zip(cycle, cycle.dropFirst() + cycle.prefix(1)).map { from, to in
            (from: from, to: to, at: context.places[.dependency(of: from.rawValue, on: to.rawValue)])
        }
        let circle = (cycle + cycle.prefix(1)).map(\.rawValue).joined(separator: " → ")
        let places = edges.map { "\($0.from) needs \($0.to) at \($0.at.map(\.description) ?? "?")" }
        context.error(
            "compose.depends-on.cycle",
            cycle.count == 1
                ? "a service depends on itself: \(circle)"
                : "services depend on each other in a circle: \(circle)",
            at: edges.first?.at,
            hint: "none of them could start first; remove one of these: \(places.joined(separator: ", "))"
        )
    }
}

import EscaleCompose

/// Which views each backend needs: what its listeners and its settings ask for.
struct BackendViews {
    private var views: [BackendName: Set<BackendView>] = [:]

    init(_ state: GatewayState) {
        for backend in state.backends {
            var needed = Set<BackendView>()
            if backend.hasVersions { needed.formUnion([.new, .old]) }
            views[backend.name] = needed
        }
        for listener in state.listeners {
            for route in listener.routes {
                guard case .backend(let name, let versions) = route.target else { continue }
                if listener.security == .passthrough {
                    views[name]?.insert(.passthrough)
                    continue
                }
                switch versions {
                case .all: views[name]?.insert(.main)
                case .newOnly: views[name]?.insert(.new)
                case .oldOnly: views[name]?.insert(.old)
                }
            }
        }
        for backend in state.backends {
            guard let needed = views[backend.name] else { continue }
            let isHTTP = needed.isEmpty || needed != [.passthrough]
            if isHTTP { views[backend.name]?.insert(.main) }
            if isHTTP && backend.settings.ejectAfter > 0 { views[backend.name]?.insert(.any) }
        }
    }

    /// In a fixed order.
    subscript(name: BackendName) -> [BackendView] {
        guard let needed = views[name] else { return [] }
        return BackendView.allCases.filter(needed.contains)
    }
}

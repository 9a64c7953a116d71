/// One condition on host and path with its target: what a route is once its hosts are sorted by kind.
struct RouteEntry: Hashable {
    enum Hosts: Hashable {
        case exact([String])
        /// What follows the `*`, with its dot.
        case wildcard(String)
        case any
    }

    let hosts: Hosts
    /// Without a slash at the end; empty for every path.
    let path: String
    let target: GatewayRoute.Target

    var isUnconditional: Bool { hosts == .any && path.isEmpty }
}

extension RouteEntry {
    /// The entries of a listener, the most specific first. Of two for the same requests the first in the state wins.
    static func ordered(_ routes: [GatewayRoute]) -> [RouteEntry] {
        let entries = routes.flatMap(entries)
        return entries.enumerated().sorted { left, right in
            let (a, b) = (left.element.rank, right.element.rank)
            return a == b ? left.offset < right.offset : a < b
        }.map(\.element)
    }

    private static func entries(_ route: GatewayRoute) -> [RouteEntry] {
        var path = Substring(route.path)
        while path.last == "/" { path.removeLast() }
        let hosts = route.hosts.map { $0.lowercased() }
        func entry(_ hosts: Hosts) -> RouteEntry { RouteEntry(hosts: hosts, path: String(path), target: route.target) }
        if hosts.isEmpty || hosts.contains("*") { return [entry(.any)] }
        let exact = hosts.filter { !$0.hasPrefix("*.") }
        return (exact.isEmpty ? [] : [entry(.exact(exact))])
            + hosts.filter { $0.hasPrefix("*.") }.map { entry(.wildcard(String($0.dropFirst()))) }
    }

    /// Compared from left to right: the kind of host, then the longer wildcard, then the longer path.
    private var rank: (Int, Int, Int) {
        switch hosts {
        case .exact: (0, 0, -path.utf8.count)
        case .wildcard(let suffix): (1, -suffix.utf8.count, -path.utf8.count)
        case .any: (2, 0, -path.utf8.count)
        }
    }
}

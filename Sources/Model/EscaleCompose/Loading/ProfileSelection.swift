import EscaleYAML

/// Which services a load is about: those without profiles, and those with one that is active.
struct ProfileSelection {
    /// By service.
    private let profiles: [String: [String]]
    private let active: Set<String>

    /// - Parameters:
    ///   - services: The mapping of services, merged.
    ///   - active: Profiles asked for; `*` is every one.
    ///   - selected: Services that the command names: the profiles of those left out become active.
    init(of services: YAMLNode?, active: [String], selected: [String]) {
        var profiles: [String: [String]] = [:]
        for pair in services?.mapping?.pairs ?? [] where !pair.key.hasPrefix("x-") {
            let node = pair.value.mapping?["profiles"]
            profiles[pair.key] = (node?.sequence ?? node.map { [$0] } ?? []).compactMap {
                $0.isNull ? nil : $0.scalar?.text
            }
        }
        let asked = Set(active)
        let more = selected.compactMap { profiles[$0] }.filter { !Self.isActive($0, asked) }
        self.profiles = profiles
        self.active = asked.union(more.flatMap(\.self))
    }

    func isActive(_ service: String) -> Bool { Self.isActive(profiles[service] ?? [], active) }

    /// The profiles of a service.
    func profiles(of service: String) -> [String] { profiles[service] ?? [] }

    /// Every profile that a service names, sorted.
    var all: [String] { Set(profiles.values.flatMap(\.self)).sorted() }

    /// Services that are left out, sorted.
    var inactive: [String] { profiles.keys.filter { !isActive($0) }.sorted() }

    private static func isActive(_ profiles: [String], _ active: Set<String>) -> Bool {
        profiles.isEmpty || active.contains("*") || profiles.contains(where: active.contains)
    }
}

import EscaleCore
package import EscaleYAML

/// The canonical form of a project, as `escale config` prints it: the shape of `docker compose config`.
///
/// What it prints is a compose file that loads to the same project.
package enum ProjectRenderer {
    package static func yaml(_ project: Project) -> String { YAMLWriter.text(tree(project)) }

    package static func json(_ project: Project) -> String { JSONWriter.text(tree(project)) }

    /// The project as a tree: services, networks, volumes, secrets and configs by name, attributes by name, `$` doubled.
    package static func tree(_ project: Project) -> YAMLValue {
        var root = Members()
        root.add("name", .string(project.name.rawValue))
        root.add(
            "services",
            .map(project.services.sorted { $0.name < $1.name }.map { .init($0.name.rawValue, service($0)) })
        )
        root.add("networks", networks(project))
        root.add("volumes", volumes(project))
        root.add("secrets", sharedFiles(project.secrets, of: project))
        root.add("configs", sharedFiles(project.configs ?? [], of: project))
        root.add("models", models(project))
        root.add("x-escale", escale(project))
        return root.map
    }

    // MARK: Pieces

    /// A mapping under construction; what is `nil` is left out.
    struct Members {
        private var members: [YAMLValue.Member] = []
        var map: YAMLValue { .map(members) }
        /// `nil` while nothing was added.
        var filledMap: YAMLValue? { members.isEmpty ? nil : map }
        func prepending(_ key: String, _ value: YAMLValue) -> YAMLValue {
            .map([.init(key, value)] + members)
        }
        var sortedMap: YAMLValue { .map(members.sorted { $0.key < $1.key }) }

        mutating func add(_ key: String, _ value: YAMLValue?) {
            if let value { members.append(.init(key, value)) }
        }

        /// Adds the value unless it is the one that counts anyway.
        mutating func add<Value: Equatable>(
            _ key: String,
            _ value: Value,
            unless usual: Value,
            as written: (Value) -> YAMLValue
        ) {
            if value != usual { add(key, written(value)) }
        }
    }

    /// Text that survives interpolation when the output is loaded again.
    static func text(_ text: String) -> YAMLValue {
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar == "$" { output.append(scalar) }
            output.append(scalar)
        }
        return .string(String(output))
    }

    static func list(_ texts: [String]) -> YAMLValue? { texts.isEmpty ? nil : .list(texts.map(text)) }

    static func pairs(_ pairs: [String: String]) -> YAMLValue? {
        mapOrNothing(pairs.sorted { $0.key < $1.key }.map { .init($0.key, text($0.value)) })
    }

    static func mapOrNothing(_ members: [YAMLValue.Member]) -> YAMLValue? {
        members.isEmpty ? nil : .map(members)
    }
}

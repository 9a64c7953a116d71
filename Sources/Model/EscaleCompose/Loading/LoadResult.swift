package import EscaleCore
package import EscaleYAML

/// What became of a load.
package struct LoadResult: Sendable {
    /// `nil` if any diagnostic is an error, or without interpolation.
    package var project: Project?
    /// By position.
    package var diagnostics: [Diagnostic]
    /// Texts by the name that positions use.
    package var sources: [String: String]
    /// The merged files; every node has its position.
    package var tree: YAMLNode?
    package var variables: [VariableUse] = []
    package var environment: [String: String] = [:]
    package var history = LoadHistory()
    package var profiles: [String] = []
    package var disabledServices: [String] = []
    package var files: [String] = []
}

/// A variable that the files use.
package struct VariableUse: Hashable, Sendable {
    package var name: String
    package var isRequired: Bool
    package var defaultValue: String?
    package var alternateValue: String?
}

/// Where values came from.
package struct LoadHistory: Sendable {
    package enum Reason: String, Sendable { case file, merge, extends, include, reset, variable, `default` }

    package struct Entry: Hashable, Sendable {
        package var reason: Reason
        package var position: SourcePosition?
        package var value: String?
    }

    package subscript(path: String) -> [Entry] { [] }
    package var paths: [String] { [] }
}

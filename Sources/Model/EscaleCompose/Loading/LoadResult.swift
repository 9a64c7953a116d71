package import EscaleCore
package import EscaleYAML

/// What a load gives: the project, what is wrong with its files, and what the files were before they became one.
package struct LoadResult: Sendable {
    /// `nil` if any diagnostic is an error, or if nothing was interpolated.
    package var project: Project?
    /// By position; codes `compose.…` and `yaml.…`.
    package var diagnostics: [Diagnostic]
    /// Texts of the files that were read, by the name that positions use. Split them with `YAMLDocument.lines(of:)`
    /// for excerpts.
    package var sources: [String: String]
    /// All files in one tree, `include` and `extends` carried out; each node knows its file and place.
    /// `nil` where no tree could be made.
    package var tree: YAMLNode?
    /// The variables that the compose files use, by name.
    package var variables: [VariableUse]
    /// What variables are looked up in: the shell, the environment files, and the project's name.
    package var environment: [String: String]
    /// What was overridden by what.
    package var history: LoadHistory
    /// Every profile that a service names, active or not, sorted.
    package var profiles: [String]
    /// Services that are left out since none of their profiles is active, sorted.
    package var disabledServices: [String]
    /// The compose files that were read, absolute and in the order of reading; `-` for standard input.
    package var files: [String]
}

/// A variable that a compose file uses; what several uses say of it is put together.
package struct VariableUse: Hashable, Sendable {
    package let name: String
    /// Whether a use stops the load where the variable is not set (`${V?…}`).
    package var isRequired: Bool
    /// The default (`${V:-…}`) as written.
    package var defaultValue: String?
    /// What stands in for the value where there is one (`${V:+…}`), as written.
    package var alternateValue: String?

    package init(
        name: String,
        isRequired: Bool = false,
        defaultValue: String? = nil,
        alternateValue: String? = nil
    ) {
        self.name = name
        self.isRequired = isRequired
        self.defaultValue = defaultValue
        self.alternateValue = alternateValue
    }
}

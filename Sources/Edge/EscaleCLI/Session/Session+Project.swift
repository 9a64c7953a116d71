import EscaleCompose
import EscaleCore
import EscaleYAML

extension Session {
    /// What reads the compose files that the command line and the environment name.
    ///
    /// - Parameter services: Those that the command names, whose profiles are active then.
    func loader(selecting services: [String] = []) -> ComposeLoader {
        var loader = ComposeLoader(
            files: globals.files,
            workingDirectory: workingDirectory,
            projectDirectory: globals.projectDirectory,
            projectName: globals.projectName,
            environmentFiles: globals.environmentFiles,
            environment: environment
        )
        loader.profiles = globals.profiles
        loader.selectedServices = services
        return loader
    }

    /// The project that the compose files describe, without the services that somebody else runs. Prints its warnings.
    ///
    /// - Parameters:
    ///   - services: Those that the command names, whose profiles are active then.
    ///   - commandLine: What the command line says besides, as a compose file that is merged last.
    /// - Throws: `compose.invalid` with every problem in the files, excerpts included by whoever shows it.
    func project(selecting services: [String] = [], commandLine: YAMLValue? = nil) throws -> Project {
        var loader = loader(selecting: services)
        loader.commandLine = commandLine.map { JSONWriter.text($0) }
        let loaded = loader.load()
        // With more on the command line it is read a second time, and its warnings have been told.
        let isTold = commandLine != nil && loaded.project != nil
        show(loaded.diagnostics.filter { !isTold || $0.position?.file == "command line" }, sources: loaded.sources)
        guard let project = loaded.project else { throw EscaleError.invalidProject(loaded.diagnostics) }
        return project.runHere
    }

    /// Prints problems of the files with the lines that they are about, to standard error.
    func show(_ diagnostics: [Diagnostic], sources: [String: String]) {
        let lines = { (file: String) in sources[file].map { YAMLDocument.lines(of: $0) } }
        for diagnostic in diagnostics.sortedByPosition() {
            console.print(
                Style(console.error).diagnosticText(diagnostic.rendered(sources: lines)),
                to: .error
            )
        }
    }

    /// The project's name and, where the files were needed for it, the project itself.
    ///
    /// `-p` alone names it without its files, so that what runs can be reached from anywhere.
    func target() throws -> Target {
        if globals.files.isEmpty, environment["COMPOSE_FILE"] == nil, let name = globals.projectName {
            return Target(name: try ProjectName(validating: name), project: nil)
        }
        let project = try project()
        return Target(name: project.name, project: project)
    }

    /// A project as a command line names it.
    struct Target {
        let name: ProjectName
        /// `nil` where only the name was given.
        let project: Project?

        /// The services of that name; also those that are left out for want of an active profile or that somebody else runs,
        /// since they may have run here before.
        ///
        /// - Throws: `service.unknown` for one that the project doesn't have.
        func services(_ names: [String]) throws -> [ServiceName] {
            try names.map { name in
                let service = try ServiceName(validating: name)
                let isLeftOut = project?.disabledServices?.contains(service) == true || project?.elsewhere(service) != nil
                if let project, project.service(service) == nil, !isLeftOut {
                    throw EscaleError.unknownService(name, in: project)
                }
                return service
            }
        }

        /// The same, for what makes containers.
        ///
        /// - Throws: `service.elsewhere` for one that somebody else runs.
        func ownServices(_ names: [String]) throws -> [ServiceName] {
            let services = try services(names)
            if let external = services.lazy.compactMap({ project?.elsewhere($0) }).first {
                throw EscaleError.serviceElsewhere(external)
            }
            return services
        }

        /// What its containers are called, without the project's name.
        var expectedContainers: [String] {
            (project?.services ?? []).flatMap { service in
                service.containerName.map { [$0] }
                    ?? (0..<max(0, service.replicas)).map { "\(service.name)-\($0 + 1)" }
            }
        }
    }
}

extension EscaleError {
    /// That nothing can be done with a project; its problems were shown.
    static func invalidProject(_ diagnostics: [Diagnostic]) -> Self {
        let errors = diagnostics.count { $0.severity == .error }
        return Self(
            .init("compose.invalid"),
            errors == 1
                ? "the project can't be used: there is 1 problem in its files"
                : "the project can't be used: there are \(errors) problems in its files"
        )
    }

    static func unknownService(_ name: String, in project: Project) -> Self {
        let names = project.services.map(\.name.rawValue)
        let hint =
            closest(to: name, in: names).map { "did you mean \($0)?" }
            ?? "the project has \(spokenList(names, last: "and"))"
        return Self(
            .init("service.unknown"),
            "there is no service \"\(name)\" in the project \(project.name)",
            hint: hint
        )
    }
}

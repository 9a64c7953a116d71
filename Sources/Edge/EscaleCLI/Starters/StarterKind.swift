/// What `escale init` can begin a project for, and how it tells them apart.
enum StarterKind: String, CaseIterable, Sendable {
    case laravel, php, django, flask, python, node
    case staticSite = "static"

    /// The first kind whose files are there: frameworks before their languages, languages before plain pages.
    static func recognised(in survey: DirectorySurvey) -> StarterKind? {
        let isPython = survey.first(of: ["requirements.txt", "pyproject.toml"]) != nil
        if survey.has("artisan") { return .laravel }
        if survey.has("manage.py") { return .django }
        if isPython, survey.pythonNames("flask") { return .flask }
        if isPython { return survey.pythonNames("django") ? .django : .python }
        if survey.has("composer.json") || survey.isThere(endingIn: ".php") || survey.has("public/index.php") { return .php }
        if survey.has("package.json") { return .node }
        return survey.siteDirectory == nil ? nil : .staticSite
    }

    func starter(for survey: DirectorySurvey) -> Starter {
        switch self {
        case .laravel: .laravel(survey)
        case .php: .php(survey)
        case .django: .django(survey)
        case .flask: .flask(survey)
        case .python: .python(survey)
        case .node: .node(survey)
        case .staticSite: .staticSite(survey)
        }
    }
}

extension DirectorySurvey {
    /// Whether the list of Python libraries names one.
    func pythonNames(_ library: String) -> Bool {
        ["requirements.txt", "pyproject.toml"].contains { name in
            text(name)?.lowercased().split { !$0.isLetter && !$0.isNumber && $0 != "-" && $0 != "_" }
                .contains { $0 == library } == true
        }
    }

    /// Where the pages of a site are: `.` or a directory below.
    var siteDirectory: String? {
        has("index.html") ? "." : ["public", "dist", "build", "site", "_site", "html", "www"].first { has("\($0)/index.html") }
    }
}

import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale ls`
enum Ls: CLICommand {
    struct Options: CommandOptions {
        var all = false
        var quiet = false
        var format = ListFormat.table
    }

    static let path = ["ls"]
    static let summary = "List the projects on this host"
    static let flags: [Flag<Options>] = [
        .toggle("all", "a", \.all, "Show also projects of which nothing runs"),
        .toggle("quiet", "q", \.quiet, "Print only the names"),
        .choice("format", \.format, "How to print"),
    ]
    static let unavailable = [
        Unavailable("--filter", instead: "use `--format json` and a filter of your own")
    ]
    static let fields = [
        JSONField("name", "project name"),
        JSONField("files", "its compose files"),
        JSONField("containers", "how many containers it has"),
        JSONField("running", "how many of them run"),
        JSONField("failure", "why the daemon can't look after it; left out where it does"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let projects = try await session.client().projects().filter {
            $0.name != .own && (options.all || $0.running > 0 || $0.failure != nil)
        }
        if options.quiet {
            for project in projects { session.console.print(project.name.rawValue) }
            return 0
        }
        try session.printList(projects, options.format) { projects in
            var table = Table("NAME", "STATUS", "CONFIG FILES")
            for project in projects {
                table.add(project.name.rawValue, status(project), project.files.joined(separator: ","))
            }
            return table
        }
        return 0
    }

    /// `running(2), exited(1)`, and why nobody looks after it
    static func status(_ project: ProjectSummary) -> String {
        let exited = project.containers - project.running
        let parts = [
            project.running > 0 ? "running(\(project.running))" : nil, exited > 0 ? "exited(\(exited))" : nil,
            project.failure.map { "failed: \($0)" },
        ]
        let text = parts.compactMap { $0 }.joined(separator: ", ")
        return text.isEmpty ? "created" : text
    }
}

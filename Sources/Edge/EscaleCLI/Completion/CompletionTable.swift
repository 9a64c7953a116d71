/// What a shell can offer at each place of a command line, from the table of commands.
struct CompletionTable: Sendable {
    /// Something that a place takes.
    enum Offer: Hashable, Sendable {
        case services, images, projects, files, directories
        /// One of these words.
        case words([String])
        /// Something that nobody can guess.
        case unknown

        /// As the shells' scripts call it; words begin with `=`.
        var code: String {
            switch self {
            case .services: "services"
            case .images: "images"
            case .projects: "projects"
            case .files: "files"
            case .directories: "directories"
            case .words(let words): "=" + words.joined(separator: " ")
            case .unknown: "unknown"
            }
        }
    }

    struct Option: Hashable, Sendable {
        let info: FlagInfo
        /// What its value is; `nil` for a switch.
        let value: Offer?

        /// `--detach`, `-d`
        var spellings: [String] { ["--\(info.long)"] + (info.short.map { ["-\($0)"] } ?? []) }
    }

    /// A command, a group of commands (without options and operands), or, with an empty path, `escale` itself.
    struct Place: Sendable {
        let path: String
        let options: [Option]
        /// Names that may come next, with what they are.
        let next: [(name: String, summary: String)]
        /// What each operand is, the last one's again and again where they may go on.
        let operands: [[Offer]]
        let repeats: Bool
    }

    static let places: [Place] = {
        let singles = CommandTable.commands.filter { $0.path.count == 1 }
        let root = Place(
            path: "", options: GlobalOptions.flags.map { option($0.info) },
            next: singles.map { ($0.path[0], $0.summary) } + CommandTable.groups.map { ($0.name, $0.summary) },
            operands: [], repeats: false)
        let groups = CommandTable.groups.map { group in
            Place(
                path: group.name, options: [],
                next: CommandTable.commands(in: group.name).map { ($0.path[1], $0.summary) }, operands: [], repeats: false)
        }
        return [root] + groups + CommandTable.commands.map(place)
    }()

    private static func place(_ entry: CommandEntry) -> Place {
        let usage = entry.operands.usage
        // Alternatives are one place that takes both.
        let kinds: [[Offer]] =
            if usage.contains(" | ") {
                [offers(usage)]
            } else {
                usage.split(separator: " ").map { offers(String($0)) }
            }
        return Place(
            path: entry.path.joined(separator: " "), options: entry.flags.map(option), next: [], operands: kinds,
            repeats: entry.operands.maximum == nil)
    }

    private static func option(_ info: FlagInfo) -> Option {
        guard let value = info.value else { return Option(info: info, value: nil) }
        let offer: Offer =
            if value.contains("|") {
                .words(value.split(separator: "|").map(String.init))
            } else if info.long == "project-name" {
                .projects
            } else {
                offers(value).first ?? .unknown
            }
        return Option(info: info, value: offer)
    }

    /// What the names of a usage line stand for.
    private static func offers(_ usage: String) -> [Offer] {
        let words = usage.split { !$0.isLetter && $0 != "_" && $0 != "-" }.map(String.init)
        if usage.contains("|"), !words.isEmpty, words.allSatisfy({ $0 == $0.lowercased() }) { return [.words(words)] }
        let known: [Offer] = words.compactMap { word in
            switch word {
            case "SERVICE": .services
            case "IMAGE": .images
            case "PROJECT": .projects
            case "FILE", "TAR", "PATH": .files
            case "DIR", "DIRECTORY", "CONTEXT": .directories
            default: nil
            }
        }
        return known.isEmpty ? [.unknown] : known
    }
}

package import EscaleCore

/// A Dockerfile as written: nothing is expanded, no stage is resolved.
package struct Dockerfile: Hashable, Sendable {
    package var file: String
    /// What continues a line and takes a character's meaning: `\`, or `` ` `` by parser directive.
    package var escape: Character
    /// The `ARG`s before the first `FROM`, which only `FROM`s see.
    package var arguments: [ArgumentDeclaration]
    package var stages: [BuildStage]

    package init(
        file: String,
        escape: Character = "\\",
        arguments: [ArgumentDeclaration] = [],
        stages: [BuildStage] = []
    ) {
        self.file = file
        self.escape = escape
        self.arguments = arguments
        self.stages = stages
    }
}

/// One `FROM` and what follows it.
package struct BuildStage: Hashable, Sendable {
    package var index: Int
    /// In lower case, as names of stages are compared.
    package var name: String?
    /// A stage, an image or `scratch`; may hold variables.
    package var base: String
    package var position: SourcePosition
    /// The `FROM` as written, its lines joined.
    package var text: String
    package var instructions: [Instruction]

    package init(
        index: Int,
        name: String?,
        base: String,
        position: SourcePosition,
        text: String,
        instructions: [Instruction] = []
    ) {
        self.index = index
        self.name = name
        self.base = base
        self.position = position
        self.text = text
        self.instructions = instructions
    }

    /// The name, or `stage-0`.
    package var displayName: String { name ?? "stage-\(index)" }
}

/// One instruction of a stage. Texts that may hold variables are as written, quotes included.
package struct Instruction: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case argument([ArgumentDeclaration])
        case environment([NameAndValue])
        case label([NameAndValue])
        case workingDirectory(String)
        case copy(CopyInstruction)
        case run(RunInstruction)
        case user(String)
        case expose([String])
        case volume([String])
        case command(CommandLine)
        case entrypoint(CommandLine)
        case healthcheck(HealthcheckInstruction)
        case shell([String])
        case stopSignal(String)
    }

    package var kind: Kind
    package var position: SourcePosition
    package var lastLine: Int
    /// The whole instruction, its lines joined, for people and for the image's history.
    package var text: String

    package init(_ kind: Kind, position: SourcePosition, lastLine: Int, text: String) {
        self.kind = kind
        self.position = position
        self.lastLine = lastLine
        self.text = text
    }
}

/// `ARG name` or `ARG name=value`.
package struct ArgumentDeclaration: Hashable, Sendable {
    package var name: String
    package var value: String?
    package var position: SourcePosition

    package init(name: String, value: String?, position: SourcePosition) {
        self.name = name
        self.value = value
        self.position = position
    }
}

package struct NameAndValue: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A command for the shell, or a program with its arguments.
package enum CommandLine: Hashable, Sendable {
    case shell(String)
    case exec([String])
}

/// `RUN`.
package struct RunInstruction: Hashable, Sendable {
    package var command: CommandLine
    /// The text blocks that the command reads, in order.
    package var heredocs: [Heredoc]

    package init(_ command: CommandLine, heredocs: [Heredoc] = []) {
        self.command = command
        self.heredocs = heredocs
    }

    /// What the shell gets: the command with its heredocs, or the one heredoc that is the whole command.
    ///
    /// `nil` for the exec form.
    package var shellText: String? {
        guard case .shell(let line) = command else { return nil }
        if let only = heredocs.first, heredocs.count == 1, line == only.word { return only.content }
        return heredocs.reduce(line) { $0 + "\n" + $1.rawContent + $1.name } + (heredocs.isEmpty ? "" : "\n")
    }
}

/// A text block within the Dockerfile: `<<NAME` … `NAME`.
package struct Heredoc: Hashable, Sendable {
    package var name: String
    /// The word that announces it, such as `<<-"EOF"`.
    package var word: String
    /// Whether variables in it are expanded: the name isn't quoted.
    package var expands: Bool
    /// With `<<-`, lines begin after their tabs.
    package var stripsTabs: Bool
    /// The lines as written, each with its line break.
    package var rawContent: String

    package init(name: String, word: String, expands: Bool, stripsTabs: Bool, rawContent: String = "") {
        self.name = name
        self.word = word
        self.expands = expands
        self.stripsTabs = stripsTabs
        self.rawContent = rawContent
    }

    package var content: String {
        guard stripsTabs else { return rawContent }
        return rawContent.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.drop { $0 == "\t" } }.joined(separator: "\n")
    }
}

/// `COPY` and `ADD`.
package struct CopyInstruction: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        /// A path or pattern.
        case path(String)
        /// A file whose content is in the Dockerfile.
        case inline(Heredoc)
    }

    /// Whether archives are unpacked.
    package var isAdd: Bool
    package var sources: [Source]
    package var destination: String
    /// A stage or an image; `nil` for the build context.
    package var from: String?
    package var owner: String?
    /// Octal.
    package var mode: String?

    package init(
        isAdd: Bool,
        sources: [Source],
        destination: String,
        from: String? = nil,
        owner: String? = nil,
        mode: String? = nil
    ) {
        self.isAdd = isAdd
        self.sources = sources
        self.destination = destination
        self.from = from
        self.owner = owner
        self.mode = mode
    }
}

/// `HEALTHCHECK`. What is `nil` was not said.
package struct HealthcheckInstruction: Hashable, Sendable {
    /// `nil` for `HEALTHCHECK NONE`.
    package var command: CommandLine?
    package var interval: Duration?
    package var timeout: Duration?
    package var startPeriod: Duration?
    package var startInterval: Duration?
    package var retries: Int?

    package init(command: CommandLine?) { self.command = command }
}

package import EscaleCore

/// A Dockerfile as written: nothing is expanded, no stage is resolved.
package struct Dockerfile: Hashable, Sendable {
    package var file: String
    /// What continues a line and takes a character's meaning: `\`, or `` ` `` by parser directive.
    package var escape: Character
    /// The frontend that `# syntax=` names. Escale has one of its own and only keeps the name.
    package var syntax: String?
    /// What `# check=` says.
    package var checks: CheckDirective
    /// The `ARG`s before the first `FROM`, which only `FROM`s see.
    package var arguments: [ArgumentDeclaration]
    package var stages: [BuildStage]

    package init(
        file: String,
        escape: Character = "\\",
        syntax: String? = nil,
        checks: CheckDirective = CheckDirective(),
        arguments: [ArgumentDeclaration] = [],
        stages: [BuildStage] = []
    ) {
        self.file = file
        self.escape = escape
        self.syntax = syntax
        self.checks = checks
        self.arguments = arguments
        self.stages = stages
    }
}

/// `# check=skip=A,B;error=true`: which build checks don't run, and whether a finding fails the build.
package struct CheckDirective: Hashable, Sendable {
    /// The checks' names.
    package var skipped: Set<String>
    package var skipsAll: Bool
    package var failsBuild: Bool
    /// The checks that run although they are still tried out; `all` for all of them.
    package var experimental: Set<String>

    package init(
        skipped: Set<String> = [],
        skipsAll: Bool = false,
        failsBuild: Bool = false,
        experimental: Set<String> = []
    ) {
        self.skipped = skipped
        self.skipsAll = skipsAll
        self.failsBuild = failsBuild
        self.experimental = experimental
    }
}

/// One `FROM` and what follows it.
package struct BuildStage: Hashable, Sendable {
    package var index: Int
    /// In lower case, as names of stages are compared.
    package var name: String?
    /// A stage, an image or `scratch`; may hold variables.
    package var base: String
    /// `--platform=`; may hold variables.
    package var platform: String?
    package var position: SourcePosition
    /// The `FROM` as written, its lines joined.
    package var text: String
    package var instructions: [Instruction]

    package init(
        index: Int,
        name: String?,
        base: String,
        platform: String? = nil,
        position: SourcePosition,
        text: String,
        instructions: [Instruction] = []
    ) {
        self.index = index
        self.name = name
        self.base = base
        self.platform = platform
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
        /// The image's author.
        case maintainer(String)
        /// An instruction, as written, for the images that are built on this one. See ``parseTrigger(_:file:)``.
        case onBuild(String)
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
    package var mounts: [RunMount]
    /// `default`, `none` or `host`; `nil` where not said.
    package var network: String?
    /// `sandbox` or `insecure`; `nil` where not said.
    package var security: String?

    package init(
        _ command: CommandLine,
        heredocs: [Heredoc] = [],
        mounts: [RunMount] = [],
        network: String? = nil,
        security: String? = nil
    ) {
        self.command = command
        self.heredocs = heredocs
        self.mounts = mounts
        self.network = network
        self.security = security
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

/// `RUN --mount=…`. Texts may hold variables; what is `nil` was not said.
package struct RunMount: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable { case bind, cache, tmpfs, secret, ssh }
    /// Who may use a cache at a time.
    package enum Sharing: String, Hashable, Sendable, CaseIterable { case shared, `private`, locked }

    package var kind: Kind
    /// `id`: of a cache, a secret or an SSH agent.
    package var id: String?
    /// `target`, `dst` or `destination`.
    package var target: String?
    /// `source` or `src`.
    package var source: String?
    /// A stage, an image or a named context.
    package var from: String?
    /// `readonly`, `ro`, or `rw` and `readwrite` turned round.
    package var isReadOnly: Bool?
    package var sharing: Sharing?
    /// Octal.
    package var mode: String?
    package var uid: String?
    package var gid: String?
    /// Of a tmpfs, such as `64m`.
    package var size: String?
    package var isRequired: Bool
    /// The variable that a secret is given in, instead of or beside a file.
    package var environment: String?

    package init(_ kind: Kind) {
        self.kind = kind
        isRequired = false
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

    /// Whether it is `ADD`: archives are unpacked, URLs fetched.
    package var isAdd: Bool
    package var sources: [Source]
    package var destination: String
    /// A stage, an image or a named context; `nil` for the build context.
    package var from: String?
    package var owner: String?
    /// Octal, or symbolic such as `u=rwX,go=rX`.
    package var mode: String?
    /// Whether the files are a layer that doesn't depend on those before.
    package var isLink = false
    /// Whether the sources' own directories are kept, from a `/./` on where there is one.
    package var keepsParents = false
    /// Patterns of what is left out.
    package var excludes: [String] = []
    /// Of `ADD` from a URL: `sha256:…`.
    package var checksum: String?
    /// Of `ADD` from a Git repository: whether `.git` stays.
    package var keepsGitDirectory = false
    /// Of `ADD`: whether archives are unpacked; `nil` for the usual, local ones only.
    package var unpacks: Bool?

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

/// A rule of good style, or a likely mistake, that a Dockerfile is checked for. The names are Docker's.
package enum BuildCheck: String, Hashable, Sendable, CaseIterable {
    case stageNameCasing = "StageNameCasing"
    case fromAsCasing = "FromAsCasing"
    case noEmptyContinuation = "NoEmptyContinuation"
    case consistentInstructionCasing = "ConsistentInstructionCasing"
    case duplicateStageName = "DuplicateStageName"
    case reservedStageName = "ReservedStageName"
    case jsonArgsRecommended = "JSONArgsRecommended"
    case maintainerDeprecated = "MaintainerDeprecated"
    case undefinedArgInFrom = "UndefinedArgInFrom"
    case undefinedVar = "UndefinedVar"
    case workdirRelativePath = "WorkdirRelativePath"
    case multipleInstructionsDisallowed = "MultipleInstructionsDisallowed"
    case legacyKeyValueFormat = "LegacyKeyValueFormat"
    case redundantTargetPlatform = "RedundantTargetPlatform"
    case secretsUsedInArgOrEnv = "SecretsUsedInArgOrEnv"
    case invalidDefaultArgInFrom = "InvalidDefaultArgInFrom"
    case fromPlatformFlagConstDisallowed = "FromPlatformFlagConstDisallowed"
    case copyIgnoredFile = "CopyIgnoredFile"
    case invalidDefinitionDescription = "InvalidDefinitionDescription"
    case exposeProtoCasing = "ExposeProtoCasing"
    case exposeInvalidFormat = "ExposeInvalidFormat"

    package var name: String { rawValue }

    /// Whether it only runs where `# check=experimental=` asks for it.
    package var isExperimental: Bool { self == .invalidDefinitionDescription }

    /// What is wrong where it finds something, in one line.
    package var summary: String { table.summary }
    /// How to put it right.
    package var fix: String { table.fix }

    private var table: (summary: String, fix: String) {
        switch self {
        case .stageNameCasing:
            ("A stage's name has capital letters.", "write the name in lower case")
        case .fromAsCasing:
            (
                "`FROM` is in capitals and `AS` isn't, or the other way round.",
                "write FROM and AS in the same case"
            )
        case .noEmptyContinuation:
            ("An instruction goes on over an empty line.", "remove the empty line, or put a # comment there")
        case .consistentInstructionCasing:
            (
                "An instruction isn't in the case that most others are in.",
                "write all instructions in one case"
            )
        case .duplicateStageName:
            ("Two stages have the same name; the later one counts.", "give each stage a name of its own")
        case .reservedStageName:
            ("A stage is called `scratch` or `context`, which mean something else.", "choose another name")
        case .jsonArgsRecommended:
            (
                "`CMD` or `ENTRYPOINT` is in the shell form, so signals reach the shell and not the program.",
                "write it as a JSON array, or choose a shell with SHELL"
            )
        case .maintainerDeprecated:
            ("`MAINTAINER` is deprecated.", "write LABEL org.opencontainers.image.authors=\"…\"")
        case .undefinedArgInFrom:
            (
                "A `FROM` uses a variable that no `ARG` before the first `FROM` declares.",
                "add the ARG above the first FROM"
            )
        case .undefinedVar:
            (
                "A variable is used that neither `ARG` nor `ENV` of the stage sets, so it is empty.",
                "declare it with ARG or ENV before this line, unless the base image sets it"
            )
        case .workdirRelativePath:
            ("The first `WORKDIR` is relative, so it depends on the base image.", "begin the path with /")
        case .multipleInstructionsDisallowed:
            (
                "A stage has several `CMD`, `ENTRYPOINT` or `HEALTHCHECK`; only the last counts.",
                "remove all but the last one"
            )
        case .legacyKeyValueFormat:
            ("`ENV` or `LABEL` has a blank instead of `=`.", "write name=value")
        case .redundantTargetPlatform:
            ("`FROM --platform=$TARGETPLATFORM` says what is so anyway.", "leave --platform out")
        case .secretsUsedInArgOrEnv:
            (
                "An `ARG` or `ENV` looks like a secret; both can be read from the image.",
                "give it to the step that needs it: RUN --mount=type=secret,id=…"
            )
        case .invalidDefaultArgInFrom:
            (
                "Without build arguments, a `FROM` has no valid image.",
                "give the ARG a default value that makes it an image"
            )
        case .fromPlatformFlagConstDisallowed:
            (
                "`FROM --platform` has a fixed platform.",
                "leave it out, use $BUILDPLATFORM, or have the platform in the stage's name"
            )
        case .copyIgnoredFile:
            (
                "`COPY` or `ADD` names a file that `.dockerignore` leaves out.",
                "take it out of .dockerignore, or out of the Dockerfile"
            )
        case .invalidDefinitionDescription:
            (
                "The comment above a stage or an `ARG` doesn't begin with its name (only where asked for).",
                "begin the comment with the name, or put an empty line below it"
            )
        case .exposeProtoCasing:
            ("The protocol in `EXPOSE` has capital letters.", "write it in lower case, such as 80/tcp")
        case .exposeInvalidFormat:
            (
                "`EXPOSE` has an address or a host's port.",
                "write only the container's port; the host's is chosen when it runs"
            )
        }
    }
}

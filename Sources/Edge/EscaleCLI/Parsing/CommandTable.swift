import EscaleCore

/// Every command, in the order that help shows them.
enum CommandTable {
    static let commands: [CommandEntry] = [
        CommandEntry(Up.self), CommandEntry(Down.self), CommandEntry(Rollback.self),
        CommandEntry(Create.self), CommandEntry(Start.self), CommandEntry(Stop.self), CommandEntry(Restart.self),
        CommandEntry(Kill.self), CommandEntry(Pause.self), CommandEntry(Unpause.self), CommandEntry(Rm.self),
        CommandEntry(Scale.self), CommandEntry(Run.self), CommandEntry(Attach.self), CommandEntry(WaitCommand.self),
        CommandEntry(Top.self), CommandEntry(Stats.self), CommandEntry(Cp.self), CommandEntry(Volumes.self), CommandEntry(Watch.self),
        CommandEntry(Ps.self), CommandEntry(Logs.self), CommandEntry(Exec.self), CommandEntry(Events.self),
        CommandEntry(Build.self), CommandEntry(Pull.self), CommandEntry(Push.self), CommandEntry(Images.self), CommandEntry(Port.self),
        CommandEntry(Config.self), CommandEntry(Init.self), CommandEntry(Ls.self), CommandEntry(VersionCommand.self),
        CommandEntry(Tag.self), CommandEntry(Login.self), CommandEntry(Logout.self),
        CommandEntry(Completion.self), CommandEntry(Man.self),
        CommandEntry(ReleaseLs.self), CommandEntry(ReleaseShow.self), CommandEntry(ReleaseDiff.self),
        CommandEntry(ReleaseWatch.self), CommandEntry(ReleasePromote.self), CommandEntry(ReleasePause.self),
        CommandEntry(ReleaseResume.self), CommandEntry(ReleaseAbort.self),
        CommandEntry(ContainerRun.self), CommandEntry(ContainerCreate.self), CommandEntry(ContainerLs.self),
        CommandEntry(ContainerInspect.self), CommandEntry(ContainerLogs.self), CommandEntry(ContainerExec.self),
        CommandEntry(ContainerAttach.self), CommandEntry(ContainerStart.self), CommandEntry(ContainerStop.self),
        CommandEntry(ContainerRestart.self), CommandEntry(ContainerKill.self), CommandEntry(ContainerPause.self),
        CommandEntry(ContainerUnpause.self), CommandEntry(ContainerWait.self), CommandEntry(ContainerRm.self),
        CommandEntry(ContainerPrune.self),
        CommandEntry(ImageLs.self), CommandEntry(ImageRm.self), CommandEntry(ImageInspect.self),
        CommandEntry(ImageHistory.self), CommandEntry(ImagePull.self), CommandEntry(ImagePush.self),
        CommandEntry(ImageTag.self), CommandEntry(ImageLoad.self), CommandEntry(ImageSave.self),
        CommandEntry(ImageImport.self), CommandEntry(ImageBootstrap.self), CommandEntry(ImagePrune.self),
        CommandEntry(ImageFsck.self),
        CommandEntry(KubeGenerate.self), CommandEntry(KubeApply.self), CommandEntry(KubeDiff.self), CommandEntry(KubeStatus.self),
        CommandEntry(KubeRollback.self), CommandEntry(KubeDelete.self),
        CommandEntry(KubeShow.self), CommandEntry(KubePromote.self), CommandEntry(KubePause.self), CommandEntry(KubeResume.self),
        CommandEntry(KubeAbort.self),
        CommandEntry(RegistryServe.self), CommandEntry(RegistryStop.self), CommandEntry(RegistryStatusCommand.self),
        CommandEntry(SystemDf.self), CommandEntry(SystemPrune.self), CommandEntry(SystemLogs.self),
        CommandEntry(SystemInstall.self), CommandEntry(SystemUninstall.self),
        CommandEntry(SystemInfoCommand.self), CommandEntry(SystemStop.self), CommandEntry(SystemReset.self),
    ]

    /// The nouns with commands of their own.
    static let groups: [(name: String, summary: String)] = [
        ("release", "See and steer how new versions of services take over"),
        ("container", "Work with single containers, those of no compose file among them"),
        ("image", "Work with the images on this host"),
        ("kube", "Take the project to Kubernetes"),
        ("registry", "Serve this host's images to others"),
        ("system", "Look after Escale itself"),
    ]

    static func commands(in group: String) -> [CommandEntry] {
        commands.filter { $0.path.count == 2 && $0.path[0] == group }
    }

    enum Found {
        case command(CommandEntry, words: [String])
        case groupHelp(String)
    }

    /// The command that the words start with.
    static func find(_ words: [String]) throws -> Found {
        guard let name = words.first else {
            throw EscaleError(.usage, "no command given", hint: "see `escale --help`")
        }
        let rest = Array(words.dropFirst())
        if let entry = commands.first(where: { $0.path == [name] }) { return .command(entry, words: rest) }
        if groups.contains(where: { $0.name == name }) { return try find(rest, in: name) }
        if let known = Unavailable.commands.first(where: { $0.matches(name) }) {
            throw known.error(in: EscaleCLI.name)
        }
        throw unknown(
            name,
            in: EscaleCLI.name,
            known: commands.filter { $0.path.count == 1 }.map { $0.path[0] } + groups.map(\.name)
        )
    }

    private static func find(_ words: [String], in group: String) throws -> Found {
        guard let name = words.first, name != "-h", name != "--help" else { return .groupHelp(group) }
        let members = commands(in: group)
        if let entry = members.first(where: { $0.path[1] == name }) {
            return .command(entry, words: Array(words.dropFirst()))
        }
        throw unknown(name, in: "\(EscaleCLI.name) \(group)", known: members.map { $0.path[1] })
    }

    private static func unknown(_ name: String, in command: String, known: [String]) -> EscaleError {
        if name.hasPrefix("-") {
            return EscaleError(.usage, "unknown flag \(name)", hint: "see `\(command) --help`")
        }
        let similar = closest(to: name, in: known).map { "did you mean `\(command) \($0)`?" }
        return EscaleError(
            .usage,
            "unknown command `\(command) \(name)`",
            hint: similar ?? "see `\(command) --help`"
        )
    }
}

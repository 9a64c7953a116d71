import EscaleAPI
import EscaleClient
import EscaleCore

/// `escale system info`
enum SystemInfoCommand: CLICommand {
    struct Options: CommandOptions {
        var format = ListFormat.table
    }

    static let path = ["system", "info"]
    static let summary = "Show what Escale works with on this host"
    static let flags: [Flag<Options>] = [.choice("format", \.format, "How to print; json prints one object")]
    static let fields = [
        JSONField("version", "version of the daemon"),
        JSONField("stateDirectory", "where it keeps its state"),
        JSONField("runtimeDirectory", "where it keeps what a reboot may take"),
        JSONField("ociRuntime", "what runs the containers"),
        JSONField("cgroups", "which control groups the host has"),
        JSONField("addressPool", "which addresses containers get"),
        JSONField("projects", "how many projects there are"),
        JSONField("containers", "how many containers there are"),
        JSONField("running", "how many of them run"),
        JSONField("images", "how many images there are"),
        JSONField("kernel", "the host's kernel"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let info = try await session.client().system()
        try session.printValue(info, options.format) {
            rows(info).map { DisplayWidth.pad("\($0.0):", 18) + $0.1 + "\n" }.joined()
        }
        return 0
    }

    private static func rows(_ info: SystemInfo) -> [(String, String)] {
        [
            ("Version", info.version), ("State", info.stateDirectory), ("Runtime", info.runtimeDirectory),
            ("OCI runtime", info.ociRuntime), ("Control groups", info.cgroups),
            ("Address pool", info.addressPool),
            ("Kernel", info.kernel), ("Projects", "\(info.projects)"),
            ("Containers", "\(info.containers), of which \(info.running) run"), ("Images", "\(info.images)"),
        ]
    }
}

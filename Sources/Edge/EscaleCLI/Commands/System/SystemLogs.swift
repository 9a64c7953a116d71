import EscaleClient
import EscaleCore
import EscaleSystem
import Glibc

/// `escale system logs`
enum SystemLogs: CLICommand {
    struct Options: CommandOptions {
        var follow = false
        var tail: Int?
    }

    static let path = ["system", "logs"]
    static let summary = "Show the daemon's own log"
    static let details: String? = """
        Where systemd runs the daemon, that is its journal. Else it is the file escaled.log in the state directory, which is \
        begun anew at 10 MB; the one before it is kept as escaled.log.1.
        """
    static let flags: [Flag<Options>] = [
        .toggle("follow", "f", \.follow, "Go on as more comes"),
        .value("tail", "n", "LINES", "Start with the last lines; all for all of them") {
            $0.tail = $1 == "all" ? nil : try Values.count($1, from: 0)
        },
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        guard geteuid() == 0 else { throw EscaleError.needsRoot }
        if session.root.directory == nil, try await Systemd().runs("escale.service") {
            var words = ["--unit", "escale.service", "--output", "cat", "--no-pager"]
            words += options.tail.map { ["--lines", "\($0)"] } ?? ["--lines", "all"]
            if options.follow { words.append("--follow") }
            let journal = Command("/usr/bin/journalctl", words)
            let child = try await journal.blockingSpawn((0...2).map { FileDescriptor(owning: dup($0)) })
            return try await child.wait()
        }
        return try await showFile(session.root.log, options, session)
    }

    private static func showFile(_ path: String, _ options: Options, _ session: Session) async throws -> Int32 {
        guard Files.exists(path) else {
            throw EscaleError(
                .init("system.no-log"), "there is no log at \(path): no daemon has been started on this root by `escale`",
                hint: "one that was started otherwise writes where its starter said")
        }
        let before = Files.exists("\(path).1") ? try Files.read("\(path).1") : []
        var file = try FileDescriptor(path, O_RDONLY)
        var bytes = before
        while case let more = try file.read(), !more.isEmpty { bytes += more }
        if let tail = options.tail { bytes = lastLines(tail, of: bytes) }
        session.console.write(bytes)
        while options.follow {
            let more = try file.read()
            if !more.isEmpty {
                session.console.write(more)
            } else if try isReplaced(file, at: path) {
                file = try FileDescriptor(path, O_RDONLY)
            } else {
                try await Task.sleep(for: .milliseconds(200))
            }
        }
        return 0
    }

    private static func lastLines(_ count: Int, of bytes: [UInt8]) -> [UInt8] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true).suffix(count)
        return lines.flatMap { $0 + [UInt8(ascii: "\n")] }
    }

    /// Whether the path leads to another file by now.
    private static func isReplaced(_ file: FileDescriptor, at path: String) throws -> Bool {
        var own = stat()
        var named = stat()
        try check("look at \(path)") { fstat(file.number, &own) }
        return stat(path, &named) == 0 && named.st_ino != own.st_ino
    }
}

package import EscaleCore

extension EscaleError.Code {
    package static let notRoot = Self("client.not-root")
    package static let daemonNotInstalled = Self("daemon.not-installed")
    package static let daemonDidNotStart = Self("daemon.did-not-start")
    package static let daemonLost = Self("daemon.lost")
    package static let apiVersion = Self("api.version")
    package static let badAnswer = Self("daemon.bad-answer")
}

extension EscaleError {
    package static let needsRoot = EscaleError(
        .notRoot,
        "Escale runs containers and needs root for it",
        hint: "run the command again with sudo"
    )

    static func daemonNotInstalled(beside directory: String) -> Self {
        Self(
            .daemonNotInstalled,
            "the daemon's program, escaled, is not in \(directory)",
            hint: "install escale and escaled into the same directory"
        )
    }

    static func daemonDidNotStart(_ why: String, log: String, tail: String) -> Self {
        Self(
            .daemonDidNotStart,
            "the daemon could not be started: \(why)",
            hint: tail.isEmpty ? "see whether \(log) says why" : nil,
            details: tail.isEmpty ? [] : [Detail("end of \(log)", tail)]
        )
    }

    static func daemonDidNotStop(_ pid: Int32, within limit: Duration) -> Self {
        Self(
            .init("daemon.did-not-stop"),
            "the daemon, process \(pid), is still there \(limit.composeText) after it was told to end",
            hint: "containers outlive it: `kill -9 \(pid)` is safe"
        )
    }

    static func daemonLost(_ action: String, _ why: String) -> Self {
        Self(
            .daemonLost,
            "the connection to the daemon broke while it was to \(action): \(why)",
            hint: "containers go on without it; run the command again, which starts the daemon"
        )
    }

    static func otherVersion(_ theirs: String?, client: Int) -> Self {
        Self(
            .apiVersion,
            theirs.map {
                "the running daemon speaks version \($0) of the API, this program version \(client)"
            }
                ?? "what listens on the daemon's socket is no Escale daemon",
            hint:
                "stop the old one with `escale system stop`, which stops no container, and run the command again"
        )
    }

    static func badAnswer(_ action: String, _ what: String) -> Self {
        Self(
            .badAnswer,
            "the daemon's answer to \(action) can't be read: \(what)",
            hint: "are escale and escaled of the same version? see `escale version`"
        )
    }
}

import EscaleCore
import Glibc

/// Where one installation of Escale keeps its things. Several live side by side on a host, each under its own root.
package struct EscaleRoot: Hashable, Sendable {
    /// The directory given with `--root` or `ESCALE_ROOT`, absolute; `nil` for the host's own installation.
    package let directory: String?

    package init(directory: String? = nil) { self.directory = directory.map(Self.absolute) }

    /// From the command line's `--root`, else `ESCALE_ROOT`, else the host's own. Empty values count as none.
    package init(option: String?, environment: [String: String]) {
        let named = [option, environment["ESCALE_ROOT"]].compactMap { $0 }.first { !$0.isEmpty }
        self.init(directory: named)
    }

    /// What must survive a reboot: `/var/lib/escale`, or `state` under the root.
    package var state: String { directory.map { "\($0)/state" } ?? "/var/lib/escale" }
    /// What a reboot may take: `/run/escale`, or `run` under the root.
    package var runtime: String { directory.map { "\($0)/run" } ?? "/run/escale" }
    /// The daemon's API.
    package var socket: String { "\(runtime)/escaled.sock" }
    /// Held by the daemon for as long as it lives.
    package var lock: String { "\(runtime)/escaled.lock" }
    /// Held while a client starts the daemon, so that two clients start one.
    package var startLock: String { "\(runtime)/escaled.start.lock" }
    /// Where a daemon that a client started writes what it has to say.
    package var log: String { "\(state)/escaled.log" }

    /// What a program of Escale is given to work on this root.
    package var arguments: [String] { directory.map { ["--root", $0] } ?? [] }

    private static func absolute(_ path: String) -> String {
        var path = path
        if !path.hasPrefix("/"), let here = getcwd(nil, 0) {
            path = String(cString: here) + "/" + path
            free(here)
        }
        let parts = path.split(separator: "/").filter { $0 != "." }
        return "/" + parts.joined(separator: "/")
    }
}

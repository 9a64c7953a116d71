import CEscaleLinux
import EscaleCore
import Glibc

/// A process for as long as it lives: its number and its start time, in clock ticks since boot, so that a number
/// that was used again is never taken for it.
package struct ProcessIdentity: Hashable, Codable, Sendable {
    package let pid: Int32
    package let startTicks: UInt64

    package init(pid: Int32, startTicks: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
    }

    /// The process that has this number now; `nil` where there is none, or only a zombie.
    package init?(pid: Int32) {
        guard let stat = try? Files.readText("/proc/\(pid)/stat"), let close = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[close...].split(separator: " ")
        guard fields.count > 20, fields[1] != "Z", fields[1] != "X", let ticks = UInt64(fields[20]) else { return nil }
        self.init(pid: pid, startTicks: ticks)
    }

    package var isAlive: Bool { ProcessIdentity(pid: pid) == self }
}

/// A handle on a process that stays valid, and stays with that process, whatever happens to its number.
package final class ProcessHandle: Sendable {
    package let identity: ProcessIdentity
    private let pidfd: FileDescriptor

    /// `nil` where the process is gone.
    package init?(_ identity: ProcessIdentity) {
        let fd = c_escale_pidfd_open(identity.pid)
        guard fd >= 0 else { return nil }
        pidfd = FileDescriptor(owning: fd)
        guard identity.isAlive else { return nil }
        self.identity = identity
    }

    /// Sends a signal; one to a process that has ended is no error.
    package func signal(_ signal: Int32) { _ = c_escale_pidfd_send_signal(pidfd.number, signal) }

    /// Returns when the process has ended (a child that nobody waited for counts as ended).
    package func ended() async throws { try await Reactor.shared.readable(pidfd) }
}

/// A child of this process. It is reaped in ``wait()``; one that nobody waits for stays a zombie.
package final class ChildProcess: Sendable {
    package let pid: Int32
    private let pidfd: FileDescriptor

    init(pid: Int32, pidfd: FileDescriptor) {
        self.pid = pid
        self.pidfd = pidfd
    }

    /// Sends a signal; one to a child that has ended is no error.
    package func signal(_ signal: Int32) { _ = c_escale_pidfd_send_signal(pidfd.number, signal) }

    /// The exit code, or 128 + the number of the signal that ended it. To be called once.
    ///
    /// - Throws: `CancellationError` when the task is cancelled; the child goes on then and can be waited for again.
    package func wait() async throws -> Int32 {
        try await Reactor.shared.readable(pidfd)
        var status: Int32 = 0
        try check("wait for process \(pid)") { c_escale_wait(pidfd.number, &status) }
        return status
    }
}

import EscaleCore
import EscaleSystem
import Glibc
import Synchronization

/// A value that several tasks and threads share.
final class Shared<Value: Sendable>: Sendable {
    private let state: Mutex<Value>

    init(_ value: Value) { state = Mutex(value) }

    var value: Value { state.withLock { $0 } }
    func change(_ body: (inout Value) -> Void) { state.withLock { body(&$0) } }
}

/// A command line of the shell.
func shell(_ line: String) -> Command { Command("/bin/sh", ["-c", line]) }

/// The numbers of this process's open descriptors.
func openDescriptors() throws -> [String] { try Files.list("/proc/self/fd") }

/// The children of this process that have ended and that nobody has waited for, by number.
func zombies() throws -> [Int32] {
    try Files.list("/proc").compactMap(Int32.init).filter { pid in
        guard let stat = try? Files.readText("/proc/\(pid)/stat"), let close = stat.lastIndex(of: ")") else { return false }
        let fields = stat[close...].split(separator: " ")
        return fields.count > 2 && fields[1] == "Z" && Int32(fields[2]) == getpid()
    }
}

/// Asks again and again, for a minute at most, whether it has become true.
func eventually(_ condition: () throws -> Bool) async throws -> Bool {
    for _ in 0..<6000 {
        if try condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return false
}

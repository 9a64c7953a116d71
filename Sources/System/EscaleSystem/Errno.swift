package import EscaleCore
import Glibc

/// An error number of the system, with what was being done.
package struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
    package let code: Int32

    package init(_ code: Int32) { self.code = code }
    /// The calling thread's `errno`, taken right after the call that failed.
    package static var current: Errno { Errno(Glibc.errno) }

    package var description: String {
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }

    /// As an ``EscaleError`` with the code `system.<name>`; `action` reads like "open /etc/passwd".
    package func during(_ action: String) -> EscaleError {
        let hint: String? =
            switch code {
            case ENOSPC: "free some space, for example with `escale image rm`"
            case EACCES, EPERM: "run as root"
            case EMFILE, ENFILE: "raise the limit on open files"
            default: nil
            }
        let name: String =
            switch code {
            case ENOENT: "not-found"
            case ENOSPC: "disk-full"
            case EACCES, EPERM: "not-permitted"
            case EADDRINUSE: "address-in-use"
            default: "failed"
            }
        return EscaleError(.init("system.\(name)"), "can't \(action): \(description)", hint: hint)
    }
}

/// Runs a C call that returns -1 on failure; throws what it left in `errno`, retrying interrupted calls.
@discardableResult
package func check<Value: FixedWidthInteger & SignedInteger>(
    _ action: @autoclosure () -> String, _ call: () -> Value
) throws(EscaleError) -> Value {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.current
        if error.code != EINTR { throw error.during(action()) }
    }
}

import Glibc

/// Ends the program, naming the seed, when one input crashes it or takes too long; measures its memory.
enum Watch {
    /// Of one input, in seconds of processor time.
    static let seconds = 5
    /// Of the whole process, in bytes.
    static let memory = 64 << 20

    /// Installs the signal handlers, on a stack of their own: a stack overflow is among what they report.
    static func begin() {
        let size = 64 << 10
        var stack = stack_t(ss_sp: malloc(size), ss_flags: 0, ss_size: size)
        sigaltstack(&stack, nil)
        for number in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGPROF] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = reportSignal
            action.sa_flags = SA_ONSTACK
            sigaction(number, &action, nil)
        }
    }

    /// Begins the next input's time.
    static func enter(_ seed: UInt64) {
        currentSeed = seed
        var timer = itimerval(
            it_interval: timeval(tv_sec: 0, tv_usec: 0),
            it_value: timeval(tv_sec: seconds, tv_usec: 0)
        )
        setitimer(Int32(ITIMER_PROF.rawValue), &timer, nil)
    }

    /// The most memory that the process has had resident, in bytes.
    static var peak: Int {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        return usage.ru_maxrss << 10
    }

    /// What to say about too much memory; `nil` while it is within bounds.
    static func excess() -> String? {
        peak > memory ? "it took the process to \(peak >> 20) MiB" : nil
    }
}

// Written before each input, read by the handler: an aligned 64-bit value of one thread.
nonisolated(unsafe) private var currentSeed: UInt64 = 0

/// Runs as a signal handler: writes the seed and ends the process.
private func reportSignal(_ number: Int32) {
    var text: (UInt64, UInt64, UInt64) = (0, 0, 0)
    withUnsafeMutableBytes(of: &text) { buffer in
        var end = buffer.count
        var rest = currentSeed
        repeat {
            end -= 1
            buffer[end] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        } while rest > 0
        let lead: StaticString = number == SIGPROF ? "\nescale-fuzz: too slow: seed " : "\nescale-fuzz: crash: seed "
        write(1, lead.utf8Start, lead.utf8CodeUnitCount)
        write(1, buffer.baseAddress?.advanced(by: end), buffer.count - end)
        write(1, "\n", 1)
    }
    _exit(1)
}

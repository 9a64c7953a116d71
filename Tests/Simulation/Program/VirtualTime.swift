import CVirtualClock
import EscaleCore
import EscaleTestSupport
@_spi(ExperimentalCustomExecutors) @_spi(ExperimentalScheduling) import _Concurrency

/// The time of this process and the order in which its tasks run: both made here, so that a seed repeats them.
///
/// Everything runs on one thread, one job after the other; of those that could run now, chance takes one. When none can,
/// time jumps to whatever comes next. `@unchecked Sendable`: nothing of the process runs on another thread.
final class VirtualTime: TaskExecutor, SchedulingExecutor, @unchecked Sendable {
    static let shared = VirtualTime()

    private enum Work {
        case job(UnownedJob)
        case event(() -> Void)
    }

    private struct Entry {
        let time: Int64
        let number: Int
        let work: Work
    }

    private static let beginning: Int64 = 1_000_000_000_000
    /// What the clocks show, in nanoseconds.
    private(set) var uptime = VirtualTime.beginning
    private var wallTime: Int64 = 0
    private var random = Seeded(0)
    private var ready: [Work] = []
    /// The earliest last; of one time, the oldest last.
    private var later: [Entry] = []
    private var count = 0
    /// How many jobs and events there were.
    private(set) var steps = 0

    /// Makes this the process' executor and its clock.
    func takeOver() {
        _createExecutors(factory: VirtualExecutors.self)
    }

    /// Forgets everything that waits, and begins again.
    func reset(seed: UInt64) {
        random = Seeded(seed)
        ready = []
        later = []
        count = 0
        steps = 0
        uptime = Self.beginning
        wallTime = 1_700_000_000_000_000_000
        show()
    }

    /// Nanoseconds since the schedule began.
    var elapsed: Int64 { uptime - Self.beginning }

    // MARK: What comes

    func after(_ delay: Duration, _ event: @escaping () -> Void) { insert(.event(event), after: delay) }

    func enqueue(_ job: consuming ExecutorJob) { ready.append(.job(UnownedJob(job))) }

    func enqueue<C: Clock>(_ job: consuming ExecutorJob, after delay: C.Duration, tolerance: C.Duration?, clock: C) {
        insert(.job(UnownedJob(job)), after: delay as? Duration ?? .zero)
    }

    func enqueue<C: Clock>(_ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C) {
        insert(.job(UnownedJob(job)), after: clock.now.duration(to: instant) as? Duration ?? .zero)
    }

    private func insert(_ work: Work, after delay: Duration) {
        count += 1
        let entry = Entry(time: uptime + max(0, delay.nanoseconds), number: count, work: work)
        var (low, high) = (0, later.count)
        while low < high {
            let middle = (low + high) / 2
            if later[middle].time > entry.time { low = middle + 1 } else { high = middle }
        }
        later.insert(entry, at: low)
    }

    /// Drops every task there is: its process was killed. What the tasks hold is never given back.
    func abandonTasks() {
        ready.removeAll { if case .job = $0 { true } else { false } }
        later.removeAll { if case .job = $0.work { true } else { false } }
    }

    // MARK: Going on

    /// Runs one job, or jumps to the next. `false` where nothing is left, or nothing before the limit.
    func step(until limit: Int64) -> Bool {
        if ready.isEmpty {
            guard let next = later.last, next.time <= limit else {
                advance(to: limit)
                return false
            }
            advance(to: next.time)
            while let entry = later.last, entry.time <= next.time {
                ready.append(entry.work)
                later.removeLast()
            }
        }
        steps += 1
        advance(to: uptime + 1000)  // nothing takes no time at all
        switch ready.remove(at: Int.random(in: ready.indices, using: &random)) {
        case .job(let job): job.runSynchronously(on: asUnownedTaskExecutor())
        case .event(let event): event()
        }
        return true
    }

    private func advance(to time: Int64) {
        guard time > uptime else { return }
        wallTime += time - uptime
        uptime = time
        show()
    }

    private func show() { virtual_clock_show(uptime, wallTime) }

    /// Somebody sets the clock on the wall.
    func jump(_ distance: Duration) {
        wallTime += distance.nanoseconds
        show()
    }
}

private struct VirtualExecutors: ExecutorFactory {
    static var mainExecutor: any MainExecutor { PlatformExecutorFactory.mainExecutor }
    static var defaultExecutor: any TaskExecutor { VirtualTime.shared }
}
